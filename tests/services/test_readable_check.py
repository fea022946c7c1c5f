"""`--check` finds files that the service's user cannot read, by the kernel's own word."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.deployment.checks.readable import check
from tests.support.deployments.proxies import proxy_folder
from tests.unit.deployment.making import planned

USER = "nobody"
SPEC = f"""apps: {{a: a.py}}
service: {{manager: MANAGER, user: {USER}, group: nogroup}}
proxy: none
tls: {{certificate: FOLDER/c.pem, key: FOLDER/k.pem}}
secrets: {{secret_key: {{file: FOLDER/secret}}}}
paths: {{apps: FOLDER/apps}}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, with files of a deployment."""
    if os.geteuid() != 0:
        pytest.fail("only root can make files that another user cannot read")
    with proxy_folder() as found:
        found.chmod(0o755)
        (found / "apps").mkdir()
        for name in ("c.pem", "k.pem", "secret", "apps/a.py"):
            (found / name).touch(0o644)
        yield found


def found(folder: Path, manager: str = "systemd") -> list[str]:
    plan = planned(folder, SPEC.replace("FOLDER", str(folder)).replace("MANAGER", manager))
    return [f"{each.level}: {each}".replace(str(folder), "FOLDER") for each in check(plan, {})]


def test_what_can_be_read_is_not_named(folder: Path) -> None:
    assert found(folder) == []


def test_key_of_root_is_a_fault(folder: Path) -> None:
    (folder / "k.pem").chmod(0o600)
    assert found(folder) == [
        "fault: tls.key: nobody (service.user) cannot read FOLDER/k.pem. Such as: chgrp nogroup FOLDER/k.pem && chmod"
        " g+r FOLDER/k.pem; its folders need x for that group too."
    ]


def test_folder_that_cannot_be_entered_is_a_fault(folder: Path) -> None:
    (folder / "apps").chmod(0o700)
    [fault] = found(folder)
    assert fault.startswith("fault: apps: nobody (service.user) cannot read FOLDER/apps/a.py")


def test_group_of_the_service_may_read(folder: Path) -> None:
    (folder / "k.pem").chmod(0o640)
    shutil.chown(folder / "k.pem", group="nogroup")
    assert found(folder) == []


def test_secret_is_read_by_systemd_but_not_by_supervisor(folder: Path) -> None:
    (folder / "secret").chmod(0o600)
    assert found(folder) == []
    [fault] = found(folder, "supervisor")
    assert fault.startswith("fault: secrets.secret_key: nobody (service.user) cannot read FOLDER/secret")
