"""Programs that are found, run to their end, and what they said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app_server.deployment.checks import programs
from app_server.deployment.checks.programs import find, of_target, run, write
from app_server.deployment.render import File


def test_program_of_this_pythons_environment_goes_before_the_systems() -> None:
    assert find("no-such-program-of-anybody") is None
    found = find("sh")
    assert found is not None and Path(found).name == "sh"
    assert find(Path(sys.executable).name) == sys.executable


def test_answer_has_both_streams_and_the_status(tmp_path: Path) -> None:
    script = "echo out; echo; echo ' err ' >&2; echo $OWN $LC_ALL; pwd; exit 3"
    answer = run(["sh", "-c", script], {"OWN": "x"}, tmp_path)
    assert (answer.status, answer.lines) == (3, ["out", "err", "x C.UTF-8", str(tmp_path)])


def test_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ANSWER_S", 0.05)
    answer = run(["sleep", "60"])
    assert (answer.status, answer.text) == (-1, "no answer within 0.05 s")


def test_files_lie_side_by_side_for_everybody_to_read(tmp_path: Path) -> None:
    files = {"ssh/config": File("a"), "ssh/deep/known": File("b"), "systemd/x.service": File("c")}
    assert [path for path, _ in of_target(files, "ssh")] == ["ssh/config", "ssh/deep/known"]
    assert [path for path, _ in of_target(files, "ssh", "known")] == ["ssh/deep/known"]
    paths = write(tmp_path, of_target(files, "ssh"))
    assert [(path.name, path.read_text(), path.stat().st_mode & 0o777) for path in paths] == [
        ("config", "a", 0o644), ("known", "b", 0o644),
    ]  # fmt: skip
