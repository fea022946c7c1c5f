"""What a new tree changes, and for which instances."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.differences import differences, effects
from app_server.deployment.output_tree import Manifest, read_manifest, text_of, write_tree
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, render
from tests.unit.deployment.making import MINIMAL, planned


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Any plan."""
    return planned(tmp_path)


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
        "sessions: a1, a2 have a new command and must be restarted; their sessions move at once.",
        "sessions: a3 is new, which affects no one.",
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
    drain = "their sessions move at once"
    assert said == (
        f"sessions: what starts the instances has changed, with effect from their next start; {drain}."
        if touched
        else "sessions: no instance has a new command, so none is affected."
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("service: {drain_s: 5}\n", "their sessions have 5 s to end or to move."),
        ("sessions: {store: off}\n", "their sessions have 30 s to end or to move."),
        ("sessions: {store: off}\nservice: {drain_s: 0}\n", "their sessions begin again elsewhere."),
        ("sessions: {restore: off}\n", "their sessions have 30 s to end or to move."),
        ("sessions: {restore: off}\nservice: {drain_s: 0}\n", "their sessions begin again elsewhere."),
        ("sessions: {ping_interval_s: 20}\n", "their sessions move at once."),
    ],
)
def test_differences_say_what_becomes_of_sessions(tmp_path: Path, more: str, said: str) -> None:
    folder = tmp_path / "out"
    before, after = planned(tmp_path, MINIMAL), planned(tmp_path, MINIMAL + more)
    write_tree(folder, before, render("systemd", before), force=False)
    found = list(differences(render("systemd", after), lambda path, file: text_of(folder / path), {}))
    assert list(effects(found, after, read_manifest(folder)))[-1].endswith(f"must be restarted; {said}")


def test_comment_in_a_unit_restarts_nothing(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "out"
    files = render("systemd", plan)
    changed = {path: File(file.text.replace("# ", "# So it is: ")) for path, file in files.items()}
    write_tree(folder, plan, changed, force=False)
    found = list(differences(files, lambda path, file: text_of(folder / path), {}))
    assert found
    assert list(effects(found, plan, read_manifest(folder)))[-1].endswith("so none is affected.")


def test_nothing_new_changes_nothing(tmp_path: Path, plan: Plan) -> None:
    assert list(effects([], plan, Manifest())) == ["Nothing changes."]
    files = render("nginx", plan)
    assert list(differences(files, lambda path, file: files[path].text, files)) == []
