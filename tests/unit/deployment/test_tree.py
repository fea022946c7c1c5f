"""Folders of generated files: whole or not at all, nothing of somebody else's lost, and what a new one would change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from app_server.deployment import tree
from app_server.deployment.differences import differences, effects
from app_server.deployment.plan import Plan
from app_server.deployment.render import File, render
from app_server.deployment.tree import Manifest, read_manifest, text_of, write_tree
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


def test_file_of_somebody_else_is_not_overwritten(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "secret.env").write_text("theirs", encoding="utf-8")
    with pytest.raises(OperatorErrors) as error:
        write_tree(folder, plan, FILES, force=False)
    where = f"{folder}/secret.env"
    assert str(error.value) == f"{where}: is there already, and is not ours. Choose another --output, or give --force."
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

    monkeypatch.setattr(tree, step, fails)
    with pytest.raises(OperatorError, match="cannot be written: No space left on device; nothing was changed"):
        write_tree(folder, plan, {"other": File("x")}, force=False)
    assert contents(folder) == before
    assert sorted(os.listdir(tmp_path)) == ["deploy.yaml", "out"]


def test_folders_are_swapped_where_the_system_cannot_exchange_them(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "_exchange", lambda one, other: False)
    folder = tmp_path / "out"
    write_tree(folder, plan, FILES, force=False)
    write_tree(folder, plan, {"other": File("x")}, force=False)
    assert set(contents(folder)) == {"other", "manifest.json"}
    assert sorted(os.listdir(tmp_path)) == ["deploy.yaml", "out"]


def test_manifest_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OperatorError, match="is not a manifest of ours"):
        read_manifest(tmp_path)


def test_differences_say_what_changes_and_for_whom(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    before = planned(tmp_path, MINIMAL + "instances: 2\n")
    write_tree(folder, before, {**render("nginx", before), "old": File("x")}, force=False)
    after = planned(tmp_path, MINIMAL + "instances: 3\nsessions: {ping_interval_s: 20}\n")
    manifest = read_manifest(folder)
    found = list(differences(render("nginx", after), lambda path, file: text_of(folder / path), manifest.hashes))
    assert [(each.path, each.kind) for each in found] == [("nginx/app-server.conf", "changed"), ("old", "gone")]
    assert "+    server 127.0.0.1:5102 max_fails=0;" in found[0].lines
    assert list(effects(found, after, manifest)) == [
        "nginx: a reload; open sockets stay where they are until they end.",
        "sessions: a1, a2 have a new command and must be started anew; their sessions have 30 s to end or to move.",
        "sessions: a3 is new, which touches nobody.",
    ]


@pytest.mark.parametrize(
    ("target", "more", "touched"),
    [
        ("systemd", "secrets: {secret_key: {file: /etc/key}}\n", True),
        ("systemd", "service: {open_files: 4096}\n", True),
        ("supervisor", "service: {manager: supervisor, environment: {COLOUR: green}}\n", True),
        ("nginx", "proxy: {timeouts: {page_s: 99}}\n", False),
    ],
)
def test_what_starts_an_instance_is_more_than_its_command(
    target: str, more: str, touched: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    manager = "service: supervisor\n" if target == "supervisor" else ""
    before, after = planned(tmp_path, MINIMAL + manager), planned(tmp_path, MINIMAL + more)
    write_tree(folder, before, render(target, before), force=False)
    found = list(differences(render(target, after), lambda path, file: text_of(folder / path), {}))
    [*_, said] = effects(found, after, read_manifest(folder))
    drain = "their sessions have 30 s to end or to move"
    assert said == (
        f"sessions: what starts the instances has changed, which counts from their next start; {drain}."
        if touched
        else "sessions: no instance has a new command, so none is touched."
    )


def test_comment_in_a_unit_restarts_nothing(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    files = render("systemd", plan)
    changed = {path: File(file.text.replace("# ", "# So it is: ")) for path, file in files.items()}
    write_tree(folder, plan, changed, force=False)
    found = list(differences(files, lambda path, file: text_of(folder / path), {}))
    assert found
    assert list(effects(found, plan, read_manifest(folder)))[-1].endswith("so none is touched.")


def test_nothing_new_changes_nothing(tmp_path: Path, plan: Plan) -> None:
    assert list(effects([], plan, Manifest())) == ["Nothing changes."]
    files = render("nginx", plan)
    assert list(differences(files, lambda path, file: files[path].text, files)) == []
