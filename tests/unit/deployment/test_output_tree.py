"""Folders of generated files: whole or not at all, nothing of somebody else's lost, and what a new one would change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from app_server.deployment import output_tree
from app_server.deployment.output_tree import read_manifest, write_tree
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, render
from app_server.errors import OperatorError, OperatorErrors
from tests.unit.deployment.making import MINIMAL, planned

FILES = {"nginx/site.conf": File("site\n"), "secret.env": File("K=1\n", mode=0o600)}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Any plan."""
    return planned(tmp_path)


def contents(folder: Path) -> dict[str, str]:
    """All that is in a folder, by path."""
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.is_file()}


def test_tree_has_its_files_and_a_manifest(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    found = contents(folder)
    assert set(found) == {"nginx/site.conf", "secret.env", "manifest.json"}
    assert (folder / "secret.env").stat().st_mode & 0o777 == 0o600
    assert json.loads(found["manifest.json"])["files"]["secret.env"]["mode"] == "0600"
    assert os.listdir(tmp_path) and not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_same_deployment_gives_the_same_bytes(tmp_path: Path, plan: Plan) -> None:
    for name in ("one", "two"):
        write_tree(tmp_path / name, plan, render("nginx", plan), force=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_python_compiles_of_ours_is_in_nobodys_way(tmp_path: Path) -> None:
    plan = planned(tmp_path, MINIMAL + "service: gunicorn\n")
    folder = tmp_path / "out"
    write_tree(folder, plan, render("gunicorn", plan), force=False)
    cache = folder / "gunicorn/__pycache__"
    cache.mkdir()
    (cache / "a1.conf.cpython-313.pyc").write_bytes(b"\0")
    write_tree(folder, plan, render("gunicorn", plan), force=False)
    assert not cache.exists()
    cache.mkdir()
    (cache / "theirs.cpython-313.pyc").write_bytes(b"\0")
    with pytest.raises(OperatorErrors, match="theirs"):
        write_tree(folder, plan, render("gunicorn", plan), force=False)


def test_next_tree_takes_the_place_of_the_one_before(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    write_tree(folder, plan, {"other": File("x")}, force=False)
    assert set(contents(folder)) == {"other", "manifest.json"}


def test_file_that_is_there_already_is_not_written_again(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    before = {name: (folder / name).stat() for name in FILES}
    write_tree(folder, plan, {**FILES, "nginx/site.conf": File("new\n")}, force=False)
    assert contents(folder)["nginx/site.conf"] == "new\n"
    after = (folder / "secret.env").stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_nlink) == (
        before["secret.env"].st_ino, before["secret.env"].st_mtime_ns, 1,
    )  # fmt: skip


def test_file_gets_its_mode_though_its_text_is_there_already(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    (folder / "nginx/site.conf").chmod(0o666)
    write_tree(folder, plan, {**FILES, "secret.env": File("K=1\n", mode=0o640)}, force=False)
    assert [(folder / name).stat().st_mode & 0o777 for name in FILES] == [0o644, 0o640]


def test_forced_tree_has_nothing_of_a_file_that_was_changed(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    (folder / "secret.env").write_text("K=2\n", encoding="utf-8")
    write_tree(folder, plan, FILES, force=True)
    assert contents(folder)["secret.env"] == "K=1\n"


def test_files_are_written_again_where_they_can_have_no_second_name(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: Path, follow_symlinks: bool) -> None:
        raise PermissionError(1, "Operation not permitted")

    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    monkeypatch.setattr(os, "link", refuse)
    before = contents(folder)
    write_tree(folder, plan, FILES, force=False)
    assert contents(folder) == before


def test_file_of_somebody_else_is_not_overwritten(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "secret.env").write_text("theirs", encoding="utf-8")
    with pytest.raises(OperatorErrors) as error:
        write_tree(folder, plan, FILES, force=False)
    where = f"{folder}/secret.env"
    what = f"{where}: exists, and was not written by app-server. Choose another --output, or give --force."
    assert str(error.value) == what
    assert contents(folder) == {"secret.env": "theirs"}


def test_file_that_was_changed_is_not_overwritten(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    (folder / "nginx" / "site.conf").write_text("better", encoding="utf-8")
    with pytest.raises(OperatorErrors, match="was changed since it was written"):
        write_tree(folder, plan, FILES, force=False)
    assert (folder / "nginx" / "site.conf").read_text(encoding="utf-8") == "better"


def test_force_overwrites_ours_and_keeps_the_rest(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    (folder / "secret.env").write_text("changed", encoding="utf-8")
    (folder / "nginx" / "theirs").write_text("theirs", encoding="utf-8")
    write_tree(folder, plan, FILES, force=True)
    found = contents(folder)
    assert (found["secret.env"], found["nginx/theirs"]) == ("K=1\n", "theirs")


def test_link_to_somewhere_else_is_not_followed(tmp_path: Path, plan: Plan) -> None:
    folder, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("K=1\n", encoding="utf-8")
    write_tree(folder, plan, FILES, force=False)
    (folder / "secret.env").unlink()
    (folder / "secret.env").symlink_to(victim)
    with pytest.raises(OperatorErrors):
        write_tree(folder, plan, FILES, force=False)
    write_tree(folder, plan, {"secret.env": File("new")}, force=True)
    assert victim.read_text(encoding="utf-8") == "K=1\n"


@pytest.mark.parametrize("step", ["_fill", "_swap"])
def test_failure_leaves_what_was_there(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    before = contents(folder)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output_tree, step, fails)
    with pytest.raises(OperatorError, match="cannot be written: No space left on device; nothing was changed"):
        write_tree(folder, plan, {"other": File("x")}, force=False)
    assert contents(folder) == before
    assert sorted(os.listdir(tmp_path)) == ["deploy.yaml", "out"]


def test_folders_are_swapped_where_the_system_cannot_exchange_them(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_tree, "_exchange", lambda one, other: False)
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    write_tree(folder, plan, {"other": File("x")}, force=False)
    assert set(contents(folder)) == {"other", "manifest.json"}
    assert sorted(os.listdir(tmp_path)) == ["deploy.yaml", "out"]


def test_manifest_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OperatorError, match="was not written by app-server"):
        read_manifest(tmp_path)
