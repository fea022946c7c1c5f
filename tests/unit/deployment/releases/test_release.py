"""Releases: the same content gives the same bytes and the same id, and each command is tried once."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from app_server.deployment.images.contents import of_plan
from app_server.deployment.load import from_values
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.releases.preflight import trials
from app_server.deployment.releases.release import ARCHIVE, PACKAGES, Member, gather, write, write_certificates
from app_server.deployment.render import File, Files
from app_server.errors import OperatorError
from tests.unit.deployment.making import planned

FILES: Files = {"systemd/app-server.target": File("[Unit]\n", install="/etc/systemd/system/app-server.target")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Applications, data and a folder of packages."""
    (tmp_path / "board/__pycache__").mkdir(parents=True)
    (tmp_path / "board/main.py").write_text("", encoding="utf-8")
    (tmp_path / "board/__pycache__/main.pyc").write_bytes(b"x")
    (tmp_path / "sales.csv").write_text("1", encoding="utf-8")
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/requirements.txt").write_text("bokeh\n", encoding="utf-8")
    return tmp_path


def plan() -> Plan:
    """Of two instances of one application."""
    values = {"apps": {"board": "board"}, "public": "tools.example.org", "instances": 2}
    return resolve_plan(from_values(values, "deploy.yaml"), regenerate=("app-server", "config"))


def test_same_content_is_the_same_release(folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for output in (one, two):
        assert write(output, gather(plan(), FILES, folder, include=["*.csv"], packages=[folder / "packages"]))
    assert (one / ARCHIVE).read_bytes() == (two / ARCHIVE).read_bytes()
    again = gather(plan(), FILES, folder, include=["*.csv"], packages=[folder / "packages"])
    assert not write(one, again)
    with tarfile.open(one / ARCHIVE) as archive:
        assert sorted(archive.getnames()) == [
            "apps/board/main.py", "apps/sales.csv", "files/manifest.json", "files/systemd/app-server.target",
            "release.json",
        ]  # fmt: skip
    with tarfile.open(one / PACKAGES) as archive:
        assert archive.getnames() == ["requirements.txt"]


def test_change_of_an_application_makes_another_release_with_the_same_environment(folder: Path) -> None:
    before = gather(plan(), FILES, folder, include=[], packages=[folder / "packages"]).about
    (folder / "board/main.py").write_text("1\n", encoding="utf-8")
    after = gather(plan(), FILES, folder, include=[], packages=[folder / "packages"]).about
    assert before["id"] != after["id"]
    assert before["environment"] == after["environment"]
    assert json.dumps(after) == json.dumps({**before, "id": after["id"]})


def test_release_has_the_variables_of_the_deployment_but_no_secret(folder: Path) -> None:
    assert gather(plan(), FILES, folder, include=[], packages=[folder / "packages"]).about["variables"] == {}
    given = {"service": {"environment": {"COLOUR": "green"}}, "secrets": {"secret_key": {"environment": "KEY"}}}
    values = {"apps": {"board": "board"}, "public": "tools.example.org", **given}
    planned = resolve_plan(from_values(values, "deploy.yaml"), regenerate=("app-server", "config"))
    about = gather(planned, FILES, folder, include=[], packages=[folder / "packages"]).about
    assert (about["variables"], about["secrets"]) == ({"COLOUR": "green"}, ["BOKEH_SECRET_KEY"])


def test_missing_application_is_named(folder: Path) -> None:
    (folder / "board/main.py").unlink()
    (folder / "board/__pycache__/main.pyc").unlink()
    (folder / "board/__pycache__").rmdir()
    (folder / "board").rmdir()
    with pytest.raises(OperatorError) as caught:
        gather(plan(), FILES, folder, include=[], packages=[folder / "packages"])
    hint = f"Applications must be in {folder}, where the deployment's file is."
    assert str(caught.value) == f"apps.board.path: board does not exist. {hint}"


def test_each_command_is_tried_once_wherever_it_listens() -> None:
    commands = {
        name: ["/opt/app-server/bin/app-server", "serve", "board", "--port", str(port), "--route", name, "--drain", "5"]
        for name, port in {"a1": 5100, "a2": 5101}.items()
    }
    (only,) = trials(commands, Path("/opt/release"), "/opt/python/bin/app-server")
    assert only.command == ("/opt/python/bin/app-server", "serve", "board", "--drain", "5")
    assert (only.name, only.folder) == ("a1", Path("/opt/release/apps"))


def test_certificate_for_development_comes_with_the_release(tmp_path: Path) -> None:
    plan = planned(tmp_path, "apps: {a: a.py}\npublic: [tools.example.org, localhost]\ntls: development\n")
    folder = tmp_path / "out" / "release"
    write_certificates(plan, folder)
    made = tmp_path / "out" / "certificates"
    assert plan.tls is not None
    stem = Path(plan.tls.certificate).stem
    assert {path.name for path in made.iterdir()} >= {f"{stem}.pem", f"{stem}.key", "authority.pem"}
    first = (made / f"{stem}.pem").read_bytes()
    write_certificates(plan, folder)
    assert (made / f"{stem}.pem").read_bytes() == first, "it is still good"


def test_what_installs_a_release_needs_no_app_server() -> None:
    # ansible-playbook may be another environment's.
    playbooks = Path(__file__).parents[4] / "ansible"
    for path in playbooks.rglob("*.yml"):
        assert "ansible_playbook_python" not in path.read_text(encoding="utf-8"), path


def names(members: Sequence[Member]) -> dict[str, bytes]:
    return {member.path: member.content for member in members}


def test_requirements_of_one_name_are_two_files(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own/requirements.txt").write_text("pandas\n", encoding="utf-8")
    packages = [folder / "packages/requirements.txt", folder / "own/requirements.txt", folder / "packages"]
    found = names(gather(plan(), FILES, folder, include=[], packages=packages).packages)
    assert sorted(found) == ["requirements-2.txt", "requirements.txt"]
    assert set(found.values()) == {b"bokeh\n", b"pandas\n"}


def test_two_wheels_of_one_name_are_refused(folder: Path) -> None:
    for place in ("packages", "own"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "kit-1-py3-none-any.whl").write_text(place, encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        gather(plan(), FILES, folder, include=[], packages=[folder / "packages", folder / "own"])
    what = "there are two different files kit-1-py3-none-any.whl"
    assert str(caught.value) == f"--packages: {what}. Give only one of them."


def test_requirements_beside_applications_come_along_in_a_folder_of_their_own(folder: Path) -> None:
    (folder / "requirements.txt").write_text("-r more/base.txt\n", encoding="utf-8")
    (folder / "more").mkdir()
    (folder / "more/base.txt").write_text("./kit-1-py3-none-any.whl\n", encoding="utf-8")
    (folder / "more/kit-1-py3-none-any.whl").write_bytes(b"kit")
    (folder / "board/requirements.txt").write_text("numpy\n", encoding="utf-8")
    release = gather(plan(), FILES, folder, include=[], packages=[folder / "packages"])
    assert release.about["requirements"] == ["apps/requirements.txt", "apps/board/requirements.txt"]
    assert sorted(names(release.packages)) == [
        "apps/board/requirements.txt", "apps/more/base.txt", "apps/more/kit-1-py3-none-any.whl",
        "apps/requirements.txt", "requirements.txt",
    ]  # fmt: skip
    before = release.about["environment"]
    (folder / "board/requirements.txt").write_text("numpy>1\n", encoding="utf-8")
    assert gather(plan(), FILES, folder, include=[], packages=[folder / "packages"]).about["environment"] != before


def test_modules_and_included_files_are_in_a_release_as_in_an_image(folder: Path) -> None:
    (folder / "clock.py").write_text("import helper\n", encoding="utf-8")
    for path in ("helper.py", "unrelated.py", "deploy.yaml", "deployed/log", ".env"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("", encoding="utf-8")
    values = {"apps": {"clock": "clock.py"}, "public": "tools.example.org", "include": ["*.csv"]}
    made = resolve_plan(from_values(values, "deploy.yaml"), regenerate=("app-server", "config"))
    found = gather(made, FILES, folder, include=[], packages=[folder / "packages"])
    paths = sorted(path for path in names(found.members) if path.startswith("apps/"))
    assert paths == ["apps/clock.py", "apps/helper.py", "apps/sales.csv"]
    assert [path.as_posix() for path in of_plan(made, folder).files] == ["clock.py", "helper.py", "sales.csv"]
