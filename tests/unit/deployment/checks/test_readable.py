"""Which files the service's user has to read, and what is said of one that it may not."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.checks.readable import _wanted, check
from app_server.deployment.plan.values import Plan
from tests.unit.deployment.making import MINIMAL, planned

FILES = ("/etc/c.pem", "/etc/c.key")


def wanted(folder: Path, more: str) -> dict[str, str]:
    """The files that instances read, by what names them; the folder's applications left out."""
    found = _wanted(planned(folder, MINIMAL + more))
    return {path: where for path, where in found.items() if where != "apps"}


def test_applications_are_read_where_they_lie(tmp_path: Path) -> None:
    spec = MINIMAL.replace("  myapp: myapp.py", "  myapp: myapp.py\n  own: {path: /opt/own.py, args: x}")
    assert _wanted(planned(tmp_path, spec)) == {"/srv/app-server/myapp.py": "apps", "/opt/own.py": "apps"}


def test_certificate_is_the_proxys_unless_there_is_none(tmp_path: Path) -> None:
    tls = "tls: {certificate: /etc/c.pem, key: /etc/c.key}\n"
    assert wanted(tmp_path, tls) == {}
    found = wanted(tmp_path, f"{tls}proxy: none\n")
    assert set(found) == set(FILES)


def test_files_that_settings_name_are_read_by_instances(tmp_path: Path) -> None:
    server = "server: {basic_auth: /etc/users, index: /etc/index.html, websocket_max_message_size_bytes: 5000}\n"
    found = wanted(tmp_path, server)
    assert found == {"/etc/users": "--basic-auth", "/etc/index.html": "--index"}


def test_secrets_are_read_by_systemd_but_not_by_supervisor(tmp_path: Path) -> None:
    secrets = "secrets: {secret_key: {file: /etc/key}, cookie_secret: {environment: KEY}}\nsessions: {ids: signed}\n"
    assert wanted(tmp_path, secrets) == {}
    assert wanted(tmp_path, f"{secrets}service: supervisor\n") == {"/etc/key": "secrets.secret_key"}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A deployment whose application is there."""
    apps = tmp_path / "apps"
    apps.mkdir()
    (apps / "myapp.py").touch()
    return planned(tmp_path, f"{MINIMAL}paths: {{apps: {apps}}}\n")


def test_user_that_is_made_later_is_no_fault(plan: Plan) -> None:
    assert list(check(replace(plan, user="nobody-yet"), {})) == []


def test_own_user_reads_its_own_files(plan: Plan) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert list(check(replace(plan, user=me, group=me), {})) == []


def test_files_that_are_not_here_are_not_asked_for(plan: Plan) -> None:
    (Path(plan.paths.apps) / "myapp.py").unlink()
    assert list(check(replace(plan, user="nobody", group="nogroup"), {})) == []


def test_others_files_are_for_root_to_look_at(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid + 1)
    (found,) = check(replace(plan, user="nobody"), {})
    assert (found.level, str(found)) == (
        "note", "service.user: only root can find out what nobody may read. Check as root, or as nobody.",
    )  # fmt: skip
