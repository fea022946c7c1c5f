"""Roll-outs with compose, as far as no engine is asked: what has to be there before, and what a release says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.deployment.contained import LABEL
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.rollout.compose import (
    for_volume,
    image_names,
    is_ours,
    look_before,
    named_images,
    project,
    trial_name,
    write_release,
)
from app_server.deployment.rollout.proxy import overrides
from app_server.errors import OperatorError
from tests.unit.deployment.making import MINIMAL, loaded

BUILT = f"{MINIMAL}containers: {{build_context: .}}\n"
TLS = "tls: development\n"


def planned(folder: Path, text: str) -> Plan:
    return resolve_plan(loaded(folder, text), layout="compose")


def missing(folder: Path, text: str) -> str:
    """What is said to be missing before a roll-out, without the folder's name."""
    with pytest.raises(OperatorError) as caught:
        look_before(planned(folder, text), folder)
    return str(caught.value).replace(str(folder), "HERE")


def test_image_that_was_built_elsewhere_needs_no_application_here(tmp_path: Path) -> None:
    look_before(planned(tmp_path, f"{MINIMAL}containers: {{images: {{app: 'r.org/app:1'}}}}\n"), tmp_path)


def test_application_has_to_be_there(tmp_path: Path) -> None:
    assert missing(tmp_path, BUILT) == "HERE/myapp.py: there is no such file or folder"
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "myapp.py").touch()
    assert missing(tmp_path, BUILT) == (
        "HERE/myapp.py: there is no such file or folder. Say containers.source: apps, which is where it lies."
    )
    look_before(planned(tmp_path, BUILT.replace(": .}", ": ., source: apps}")), tmp_path)


def test_folder_of_applications_has_to_be_there(tmp_path: Path) -> None:
    assert missing(tmp_path, BUILT.replace(": .}", ": ., source: work}")) == (
        "HERE/work: there is no such folder. Name the folder of the applications with containers.source."
    )


def test_container_has_nothing_of_the_host(tmp_path: Path) -> None:
    found = missing(tmp_path, BUILT.replace("myapp: myapp.py", "myapp: /opt/myapp.py"))
    assert found.startswith("/opt/myapp.py: containers have nothing of the host there. Name it relative to HERE")


def test_certificate_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "myapp.py").touch()
    plan = planned(tmp_path, BUILT + TLS)
    where = tmp_path / plan.contained.certificates / "tools.example.org.pem"
    with pytest.raises(OperatorError) as caught:
        look_before(plan, tmp_path)
    assert str(caught.value) == (
        f"{where}: there is no such file. Make it: app-server certificate tools.example.org --folder {where.parent}"
    )
    where.parent.mkdir(parents=True, exist_ok=True)
    where.touch()
    look_before(plan, tmp_path)


def test_secret_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "myapp.py").touch()
    key = tmp_path / "key"
    text = f"{BUILT}sessions: {{ids: signed}}\nsecrets: {{secret_key: {{file: {key}}}}}\n"
    assert missing(tmp_path, text) == "HERE/key: there is no such file. `app-server secret` makes one."
    key.touch()
    look_before(planned(tmp_path, text), tmp_path)
    text = f"{BUILT}sessions: {{ids: signed}}\nsecrets: {{secret_key: {{environment: OUR_KEY}}}}\n"
    for value in (None, ""):
        monkeypatch.delenv("OUR_KEY", raising=False) if value is None else monkeypatch.setenv("OUR_KEY", value)
        assert missing(tmp_path, text) == "secrets.secret_key: the variable OUR_KEY is not set"
    monkeypatch.setenv("OUR_KEY", "x")
    look_before(planned(tmp_path, text), tmp_path)


def test_release_holds_its_files_and_nothing_of_one_that_was_broken_off(tmp_path: Path) -> None:
    place = tmp_path / "releases" / "1"
    place.mkdir(parents=True)
    (place / "left.over").touch()
    write_release(planned(tmp_path, BUILT), place)
    assert not (place / "left.over").exists()
    assert f"name: {planned(tmp_path, BUILT).name}\n" in (place / "compose.yaml").read_text(encoding="utf-8")
    assert (place / "docker").is_dir()


def test_proxy_of_a_release_reads_a_volume_and_no_file_of_the_host(tmp_path: Path) -> None:
    plan = planned(tmp_path, f"{MINIMAL}containers: {{images: {{app: a}}}}\n")
    assert plan.contained.mounts_configuration
    assert not for_volume(plan).contained.mounts_configuration
    assert for_volume(for_volume(plan)) == for_volume(plan)


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        ({}, False), ({LABEL: ""}, True), ({"org.opencontainers.image.title": "nginx"}, False),
        ({"org.opencontainers.image.title": "app-server-nginx"}, True), ({"org.opencontainers.image.title": ""}, False),
    ],
)  # fmt: skip
def test_image_is_ours_by_its_labels(labels: dict[str, Any], ours: bool) -> None:
    assert is_ours(labels) is ours


def test_trial_has_the_name_of_no_deployment(tmp_path: Path) -> None:
    with pytest.raises(OperatorError):
        loaded(tmp_path, f"name: {trial_name('tools')}\n{MINIMAL}")


def test_images_of_a_release_are_those_that_were_written_down(tmp_path: Path) -> None:
    assert named_images(tmp_path) == {} and image_names(tmp_path) == set()
    wanted = {"app-a1": "app:0123", "app-a2": "app:0123", "proxy": "proxy:4567"}
    (tmp_path / "images.yaml").write_text("".join(overrides(wanted, None)), encoding="utf-8")
    assert named_images(tmp_path) == wanted and list(named_images(tmp_path)) == list(wanted)
    assert image_names(tmp_path) == {"app:0123", "proxy:4567"}
    (tmp_path / "images.yaml").write_text('{"services": {"app-a1": {"image": "x"}}}', encoding="utf-8")
    assert named_images(tmp_path) == {}


def test_project_of_a_release_reads_both_of_its_files(tmp_path: Path) -> None:
    found = project("tools", tmp_path / "1", tmp_path)
    assert found.name == "tools"
    assert found.files == [tmp_path / "1" / "compose.yaml", tmp_path / "1" / "images.yaml"]
