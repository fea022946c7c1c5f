"""The history of a deployment: what is written down, from which revision, and what is read of it."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path

import pytest

from app_server.deployment.rollout.history import FILE, Entry, append, operator, read, recorded, revision_of
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError


def git(folder: Path, *words: str) -> str:
    """What git prints in a folder."""
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_fault_of_the_program_is_no_interruption(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(tmp_path, "compose", "deploy", None, "1"):
        _ = 1 / 0
    (entry,) = read(tmp_path)
    assert (entry.result, entry.error) == ("failed", "ZeroDivisionError: division by zero")


def test_what_came_of_it_is_written_down(tmp_path: Path) -> None:
    with recorded(tmp_path, "compose", "deploy", tmp_path, "1"):
        pass
    with pytest.raises(OperatorError), recorded(tmp_path, "compose", "deploy", tmp_path, "2"):
        raise OperatorError("no room", where="disk")
    with pytest.raises(KeyboardInterrupt), recorded(tmp_path, "compose", "maintenance on", None):
        raise KeyboardInterrupt
    entries = read(tmp_path)
    assert [(each.action, each.release, each.result, each.error) for each in entries] == [
        ("deploy", "1", "done", ""), ("deploy", "2", "failed", "disk: no room"),
        ("maintenance on", "", "interrupted", ""),
    ]  # fmt: skip
    assert all(each.by and each.at and each.seconds is not None for each in entries)


def test_line_that_was_cut_off_hides_no_other(tmp_path: Path) -> None:
    with recorded(tmp_path, "swarm", "deploy", None, "1"):
        pass
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write('{"at": "20\n"x"\n{"later": "versions", "write": "more"}\n')
    assert [each.release for each in read(tmp_path)] == ["1"]
    assert read(tmp_path / "nowhere") == []


def test_what_older_versions_have_logged_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        "2026-01-01T10:00:00+0000 ann: site: release 1\n"
        "2026-01-02T10:00:00+0000 bob: release 2\n"
        "2026-01-03T10:00:00+0000 bob: site: back from release 2 to 1\n"
        "2026-01-04T10:00:00+0000 bob: site: release 4f2a failed (ansible-playbook ended with 2)\n"
        "2026-01-05T10:00:00+0000 bob: site: back to the previous release\n"
        "2999-01-01T10:00:00+0000 bob: site: release 9\n",
        encoding="utf-8",
    )
    with recorded(tmp_path, "compose", "deploy", None, "9"):
        pass
    assert [(each.by, each.action, each.release, each.result) for each in read(tmp_path)] == [
        ("ann", "deploy", "1", "done"), ("bob", "deploy", "2", "done"), ("bob", "rollback", "1", "done"),
        ("bob", "deploy", "4f2a", "failed"), ("bob", "rollback", "", "done"), (operator(), "deploy", "9", "done"),
    ]  # fmt: skip
    # The log has the same once more for people who read it.
    Store(tmp_path, "site").note("release 9")
    assert len(read(tmp_path)) == 6


def test_revision_is_gits_and_says_whether_files_differ(tmp_path: Path) -> None:
    assert revision_of(tmp_path) == "" and revision_of(tmp_path / "nowhere") == ""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "app.py").touch()
    git(tmp_path, "add", "app.py")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    head = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    (tmp_path / "deployed").mkdir()
    assert revision_of(tmp_path / "deployed") == head
    (tmp_path / "app.py").write_text("1", encoding="ascii")
    assert revision_of(tmp_path) == f"{head}-dirty"
    entry = Entry("now", "ann", "compose", "deploy", "done", revision=head)
    assert entry.revision == head


def test_machine_without_git_has_no_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision_of(tmp_path) == ""


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found"), OSError("No username set")])
def test_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert operator() == f"user {os.getuid()}"


@pytest.mark.parametrize(
    "line",
    [
        "[1]", "null", "[" * 100_000, '{"at": 1, "by": "b", "target": "t", "action": "deploy", "result": "done"}',
        '{"at": "x", "by": "b", "target": "t", "action": "deploy", "result": "done", "name": ["x"]}',
        '{"at": "x", "by": "b", "target": "t", "action": "deploy", "result": "done", "release": null}',
        '{"at": "x", "by": "b", "target": "t", "action": "deploy", "result": "done", "seconds": "1"}',
    ],
)  # fmt: skip
def test_lines_of_anyone_else_hide_no_other(line: str, tmp_path: Path) -> None:
    with recorded(tmp_path, "swarm", "deploy", None, "1"):
        pass
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    assert [each.release for each in read(tmp_path)] == ["1"]


def test_history_commands_no_terminal(tmp_path: Path) -> None:
    append(tmp_path, Entry("now", "\x1b[2Jann", "compose", "deploy", "done", "1", name="\x1b[31mred", error="a\nb"))
    (entry,) = read(tmp_path)
    assert (entry.by, entry.name, entry.error) == (" [2Jann", " [31mred", "a b")


def test_hook_of_git_gives_no_other_repositorys_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "--quiet")
        git(tmp_path / name, "commit", "--quiet", "--allow-empty", "--message", name)
    heads = [git(tmp_path / name, "rev-parse", "--short=12", "HEAD") for name in ("one", "other")]
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert revision_of(tmp_path / "one") == heads[0] != heads[1]


def test_history_that_cannot_be_written_hides_no_reason(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(OperatorError, match="no room"), recorded(tmp_path, "compose", "deploy", None, "1"):
        raise OperatorError("no room")
    with pytest.raises(OperatorError, match="cannot be written"), recorded(tmp_path, "compose", "deploy", None, "1"):
        pass
