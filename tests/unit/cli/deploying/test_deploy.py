"""`app-server deploy`: what it refuses before it does anything, and what it has rolled out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.deployment.rollout import ansible, compose, swarm
from app_server.deployment.rollout.history import Entry, append
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with an application."""
    (tmp_path / "myapp.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("target", ["ansible", "compose"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("apps: {a: {path: a.py, workers: 2}}\npublic: foo.com\n", "deploy.yaml:1:24: apps.a.workers: "),
        (
            "apps: {a: myapp.py}\npublic: foo.com\nsessions: {ids: signed}\n",
            "sessions.ids: signed sessions need a secret key",
        ),
    ],
)
def test_deployment_with_a_fault_touches_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], target: str, text: str, reason: str
) -> None:
    (home / "deploy.yaml").write_text(text, encoding="utf-8")
    assert main(["deploy", target], {}) == EXIT_USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err
    assert not (home / "deployed").exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "TARGET: expected one of compose, swarm, ansible, status, logs, maintenance, history, exec."
         " For example: app-server deploy compose"),
        (["swarn"], "TARGET: expected one of compose, swarm, ansible, status, logs, maintenance, history, exec,"
         " not 'swarn'. Did you mean swarm?"),
        (["log"], "TARGET: expected one of compose, swarm, ansible, status, logs, maintenance, history, exec,"
         " not 'log'. Did you mean logs?"),
        (["compose", "--quiet", "--json"], "--json: cannot be used with --quiet. Leave one of them out."),
        (["swarm", "--verbose", "-q"], "--verbose: cannot be used with --quiet. Leave one of them out."),
        (["ansible", "--no-resolve"], "--no-resolve: has no meaning with ansible. Leave it out."),
        (["compose", "--rollback", "--all"], "--all: has no meaning with --rollback. Leave it out."),
        (["ansible", "--rollback", "--include", "x"], "--include: has no meaning with --rollback. Leave it out."),
        (["compose", "--rollback", "1", "--name", "x"], "--name: has no meaning with --rollback. Leave it out."),
        (["compose", "--name", "logs"], "--name: 'logs' means something else. Choose a word, such as v1.4."),
        (["compose", "--list", "--all"], "--all: has no meaning with --list. Leave it out."),
        (["compose", "--rollback", ""], "--rollback: names no release. Leave it out for the previous release."),
        (["compose", "--list", "--rollback"], "--rollback: has no meaning with --list. Leave it out."),
        (["--all"], "TARGET: expected one of compose, swarm, ansible, status, logs, maintenance, history, exec."
         " For example: app-server deploy compose"),
        (["ansible", "--all"], "--all: has no meaning with ansible. Leave it out."),
        (["ansible", "--build-context", "x"], "--build-context: has no meaning with ansible. Leave it out."),
        (["compose", "--packages", "x"], "--packages: has no meaning with compose. Leave it out."),
        (["compose", "--no-doctor"], "--no-doctor: has no meaning with compose. Leave it out."),
    ],
)
def test_words_that_do_not_go_together_are_one_line(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"


@pytest.fixture
def rolled_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Rolled]:
    """What would have been rolled out, with a deployment for both targets."""
    (home / "deploy.yaml").write_text(
        "name: tools\napps: {myapp: myapp.py}\npublic: foo.com\n"
        "instances: {hosts: [{name: one, address: 10.0.0.1}]}\nenvironments: {staging: {public: staging.foo.com}}\n"
    )
    done: list[Rolled] = []

    def note(action: str) -> Callable[..., int]:
        def act(*words: Any, hooks: RolloutHooks, **more: Any) -> int:
            [store] = [word for word in words if isinstance(word, Store)]
            done.append(Rolled(action, store.folder, hooks, more))
            return 0

        return act

    for module in (compose, swarm, ansible):
        monkeypatch.setattr(module, "deploy", note("deploy"))
        monkeypatch.setattr(module, "roll_back", note("rollback"))
    return done


@dataclass
class Rolled:
    """One rollout that was asked for."""

    action: str
    store: Path
    hooks: RolloutHooks
    more: dict[str, Any]


def test_compose_rolls_out_with_the_store_beside_its_file(home: Path, rolled_out: list[Rolled]) -> None:
    (home / "deploy.yaml").write_text("name: tools\napps: {myapp: myapp.py}\npublic: foo.com\n")
    assert main(["deploy", "compose", "--all"], {}) == EXIT_OK
    assert main(["deploy", "compose", "--rollback", "--store", "kept", "--no-hooks"], {}) == EXIT_OK
    first, second = rolled_out
    assert (first.action, first.store, first.more) == ("deploy", home / "deployed" / "tools", {"everything": True})
    assert (second.action, second.store, second.more) == ("rollback", Path("kept"), {})


@pytest.mark.parametrize("target", ["compose", "swarm", "ansible"])
def test_release_gets_a_name_by_which_it_is_restored(home: Path, rolled_out: list[Rolled], target: str) -> None:
    if target != "ansible":
        text = "name: tools\napps: {myapp: myapp.py}\npublic: foo.com\n"
        (home / "deploy.yaml").write_text(text, encoding="utf-8")
    no_doctor = ["--no-doctor"] if target == "ansible" else []
    assert main(["deploy", target, "--name", "v1.4", *no_doctor], {}) == EXIT_OK
    assert main(["deploy", target, "--rollback", "v1.4", *no_doctor], {}) == EXIT_OK
    # No release can be called like a target.
    assert main(["deploy", "--rollback", target, *no_doctor], {}) == EXIT_OK
    # The target is that of the last roll-out.
    store = home / "deployed" / "tools"
    store.mkdir(parents=True)
    append(store, Entry("2026-11-29T14:03:12+0100", "ann", target, "deploy", "done", release="1"))
    assert main(["deploy", "--rollback", "7", *no_doctor], {}) == EXIT_OK
    asked = [(each.action, each.more.get("called"), each.more.get("to")) for each in rolled_out]
    assert asked == [
        ("deploy", "v1.4", None), ("rollback", None, "v1.4"), ("rollback", None, None), ("rollback", None, "7"),
    ]  # fmt: skip


def test_ansible_rolls_out_and_looks_at_an_application_from_outside(
    rolled_out: list[Rolled], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[list[str]] = []
    monkeypatch.setattr("subprocess.call", lambda words: looked.append(words) or 3)
    words = ["deploy", "ansible", "-e", "staging"]
    assert main([*words, "--include", "*.csv", "--packages", "w.txt"], {}) == 3
    assert [each[1:] for each in looked] == [["-m", "app_server", "doctor", "http://staging.foo.com/myapp"]]
    assert rolled_out[0].more == {"packages": [Path("w.txt")], "include": ["*.csv"]}
    assert main([*words, "--rollback", "--no-doctor"], {}) == EXIT_OK
    assert len(looked) == 1 and rolled_out[1].action == "rollback"


def test_swarm_rolls_out_and_its_end_is_json(
    home: Path, rolled_out: list[Rolled], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "deploy.yaml").write_text(
        "name: tools\napps: {myapp: myapp.py}\npublic: foo.com\nsessions: {store: valkey}\n"
    )
    assert main(["deploy", "swarm", "--json", "--no-resolve"], {}) == EXIT_OK
    said = json.loads(capsys.readouterr().out)
    assert (said["event"], said["result"]) == ("end", "done")
    assert main(["deploy", "swarm", "--rollback"], {}) == EXIT_OK
    first, second = rolled_out
    assert (first.action, first.store, first.more) == ("deploy", home / "deployed" / "tools", {"resolve": False})
    assert first.hooks.to_stderr and not second.hooks.to_stderr
    assert (second.action, second.more) == ("rollback", {"resolve": True})

    def fail(*words: Any, **more: Any) -> int:
        raise OperatorError("no room")

    monkeypatch.setattr(swarm, "deploy", fail)
    assert main(["deploy", "swarm", "--json"], {}) == EXIT_FAILED
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert (said["result"], said["error"]) == ("failed", "no room") and captured.err == "app-server: no room\n"


def test_store_that_was_begun_here_is_gone_on_with(home: Path, rolled_out: list[Rolled]) -> None:
    (home / "below").mkdir()
    (home / "below" / "myapp.py").touch()
    (home / "below" / "deploy.yaml").write_text("name: tools\napps: {myapp: myapp.py}\npublic: foo.com\n")
    (home / "deployed" / "tools").mkdir(parents=True)
    (home / "deployed" / "tools" / "log").touch()
    assert main(["deploy", "compose", "-f", "below/deploy.yaml"], {}) == EXIT_OK
    assert rolled_out[0].store == Path("deployed/tools")
