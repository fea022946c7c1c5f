"""What has to be there before a roll-out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.deployment.contained import LABEL
from app_server.deployment.rollout.preconditions import check_preconditions, is_ours, mounted
from app_server.errors import OperatorError
from tests.unit.deployment.making import MINIMAL
from tests.unit.deployment.rollout.planning import planned

BUILT = f"{MINIMAL}containers: {{build_context: .}}\n"

TLS = "tls: development\n"


def missing(folder: Path, text: str) -> str:
    """What is said to be missing before a roll-out, without the folder's name."""
    with pytest.raises(OperatorError) as caught:
        check_preconditions(planned(folder, text), folder)
    return str(caught.value).replace(str(folder), "HERE")


def test_image_that_was_built_elsewhere_needs_no_application_here(tmp_path: Path) -> None:
    check_preconditions(planned(tmp_path, f"{MINIMAL}containers: {{images: {{app: 'r.org/app:1'}}}}\n"), tmp_path)


def test_application_has_to_be_there(tmp_path: Path) -> None:
    assert missing(tmp_path, BUILT) == "HERE/myapp.py: there is no such file or folder"
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "myapp.py").touch()
    assert missing(tmp_path, BUILT) == (
        "HERE/myapp.py: there is no such file or folder. Set containers.source: apps, which is its folder."
    )
    check_preconditions(planned(tmp_path, BUILT.replace(": .}", ": ., source: apps}")), tmp_path)


def test_folder_of_applications_has_to_be_there(tmp_path: Path) -> None:
    assert missing(tmp_path, BUILT.replace(": .}", ": ., source: work}")) == (
        "HERE/work: there is no such folder. Name the folder of the applications with containers.source."
    )


def test_container_has_nothing_of_the_host(tmp_path: Path) -> None:
    found = missing(tmp_path, BUILT.replace("myapp: myapp.py", "myapp: /opt/myapp.py"))
    assert found.startswith("/opt/myapp.py: containers cannot see this path of the host. Name it relative to HERE")


def test_certificate_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "myapp.py").touch()
    plan = planned(tmp_path, BUILT + TLS)
    where = tmp_path / plan.contained.certificates / "tools.example.org.pem"
    with pytest.raises(OperatorError) as caught:
        check_preconditions(plan, tmp_path)
    assert str(caught.value) == (
        f"{where}: there is no such file. Create it: app-server certificate tools.example.org --folder {where.parent}"
    )
    where.parent.mkdir(parents=True, exist_ok=True)
    where.touch()
    check_preconditions(plan, tmp_path)


def test_secret_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "myapp.py").touch()
    key = tmp_path / "key"
    text = f"{BUILT}sessions: {{ids: signed}}\nsecrets: {{secret_key: {{file: {key}}}}}\n"
    assert missing(tmp_path, text) == "HERE/key: there is no such file. `app-server secret` creates one."
    key.touch()
    check_preconditions(planned(tmp_path, text), tmp_path)
    text = f"{BUILT}sessions: {{ids: signed}}\nsecrets: {{secret_key: {{environment: OUR_KEY}}}}\n"
    for value in (None, ""):
        monkeypatch.delenv("OUR_KEY", raising=False) if value is None else monkeypatch.setenv("OUR_KEY", value)
        assert missing(tmp_path, text) == "secrets.secret_key: the variable OUR_KEY is not set"
    monkeypatch.setenv("OUR_KEY", "x")
    check_preconditions(planned(tmp_path, text), tmp_path)


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        ({}, False), ({LABEL: ""}, True), ({"org.opencontainers.image.title": "nginx"}, False),
        ({"org.opencontainers.image.title": "app-server-nginx"}, True), ({"org.opencontainers.image.title": ""}, False),
    ],
)  # fmt: skip
def test_image_is_ours_by_its_labels(labels: dict[str, Any], ours: bool) -> None:
    assert is_ours(labels) is ours


def test_secrets_of_applications_have_to_be_there_and_readable_alike_everywhere(tmp_path: Path) -> None:
    text = f"{MINIMAL}containers: {{images: {{app: 'r.org/app:1'}}}}\nservice: {{secrets: apps.env}}\n"
    assert missing(tmp_path, text) == "service.secrets: HERE/apps.env does not exist"
    (tmp_path / "apps.env").write_text("A=1\nB=hunter2$HOME\n", encoding="utf-8")
    assert missing(tmp_path, text).startswith("HERE/apps.env:2: B: has a $ that some programs replace")
    (tmp_path / "apps.env").write_text("A=1\n", encoding="utf-8")
    (tmp_path / "apps.env").chmod(0o600)
    assert missing(tmp_path, text) == (
        "service.secrets: user 10001 of the containers cannot read HERE/apps.env. For example: chgrp 10001"
        " HERE/apps.env && chmod 0640 HERE/apps.env"
    )
    (tmp_path / "apps.env").chmod(0o604)
    check_preconditions(planned(tmp_path, text), tmp_path)


def test_engine_elsewhere_reads_the_files_of_its_own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{MINIMAL}{TLS}secrets: {{secret_key: {{file: /no/such/key}}}}\n"
    text += "containers: {images: {app: 'r.org/app:1'}}\npaths: {apps: /srv/apps}\n"
    plan = planned(tmp_path, text)
    assert list(mounted(plan)) == ["/no/such/key", "./certificates", "/srv/apps"]
    with pytest.raises(OperatorError):
        check_preconditions(plan, tmp_path)
    monkeypatch.setattr("app_server.deployment.rollout.docker.elsewhere", lambda: "ssh://one")
    check_preconditions(plan, tmp_path)
    # What is built is sent from here.
    assert missing(tmp_path, f"{MINIMAL}containers: {{build_context: ., source: work}}\n").startswith("HERE/work: ")
