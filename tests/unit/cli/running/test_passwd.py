"""The command `passwd` writes the file of --basic-auth, whole or not at all."""

from __future__ import annotations

import io
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.running import passwd as command
from app_server.security.auth.passwords import Cost, PasswordFile, hash_password


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "hash_password", lambda text: hash_password(text, cost=Cost(2, 1, 1)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users"


def run(*words: str | Path, typed: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> int:
    if monkeypatch is not None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return main(["passwd", *map(str, words)], {})


def users(path: Path) -> PasswordFile:
    return PasswordFile.read(path.read_text(encoding="utf-8"), str(path))


def test_first_user_makes_the_file_for_its_owner_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(path, "ann", typed="correct horse\n", monkeypatch=monkeypatch) == EXIT_OK
    assert users(path).check("ann", "correct horse")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["users"]


def test_user_gets_a_new_password_and_others_keep_theirs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, password in (("ann", "correct horse"), ("bob", "battery staple"), ("ann", "another horse")):
        assert run(path, name, typed=password, monkeypatch=monkeypatch) == EXIT_OK
    assert users(path).check("ann", "another horse") and users(path).check("bob", "battery staple")
    assert list(users(path).users) == ["ann", "bob"]


def test_user_is_taken_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(path, "ann", typed="correct horse", monkeypatch=monkeypatch)
    assert run(path, "ann", "--delete") == EXIT_OK
    assert users(path).users == {}


def test_terminal_asks_twice(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter(["correct horse", "correct horse", "one thing", "another thing"])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert run(path, "ann") == EXIT_OK
    assert run(path, "ann") == EXIT_FAILED
    assert capsys.readouterr().err == "app-server: stdin: the two passwords differ; nothing was changed\n"
    assert users(path).check("ann", "correct horse")


@pytest.mark.parametrize(
    ("words", "typed", "status", "message"),
    [
        (["ann"], "short", EXIT_FAILED, "stdin: the password is shorter than 8 characters; nothing was changed"),
        (["ann"], "", EXIT_FAILED, "stdin: the password is shorter than 8 characters; nothing was changed"),
        (["ann", "--delete"], "", EXIT_FAILED, "{path}: there is no user ann"),
        (["a:b"], "", EXIT_USAGE,
         "USER: expected visible characters without a colon, without a space at its ends, without a # at its "
         "beginning"),
        ([], "", EXIT_USAGE, "no file or no user. For example: app-server passwd users.txt ann"),
    ],
)  # fmt: skip
def test_fault_is_one_line_and_leaves_no_file(
    words: list[str], typed: str, status: int, message: str, path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(path, *words, typed=typed, monkeypatch=monkeypatch) == status
    assert capsys.readouterr().err == f"app-server: {message.format(path=path)}\n"
    assert not path.exists()


def test_file_of_something_else_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("my diary\n", encoding="utf-8")
    assert run(path, "ann", typed="correct horse", monkeypatch=monkeypatch) == EXIT_FAILED
    assert "users:1: the line does not begin with a user's name" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "my diary\n"


def test_failed_write_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(path, "ann", typed="correct horse", monkeypatch=monkeypatch)
    before = path.read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run(path, "bob", typed="battery staple", monkeypatch=monkeypatch) == EXIT_FAILED
    assert capsys.readouterr().err == f"app-server: {path}: cannot be written: No space left on device\n"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["users"]


def test_link_stays_a_link(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert run(link, "ann", typed="correct horse", monkeypatch=monkeypatch) == EXIT_OK
    assert link.is_symlink()
    assert users(path).check("ann", "correct horse")


def test_concurrent_runs_lose_no_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ask_password", lambda user: f"password of {user}")
    names = [f"user{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda name: run(path, name), names)) == {EXIT_OK}
    assert sorted(users(path).users) == sorted(names)


def test_groups_are_set_without_asking_for_a_password_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(path, "ann", "--groups", "staff, analysts", typed="correct horse", monkeypatch=monkeypatch) == EXIT_OK
    before = users(path).users["ann"]
    assert users(path).groups["ann"] == ("staff", "analysts")
    assert run(path, "ann", "--groups", "staff", typed="", monkeypatch=monkeypatch) == EXIT_OK
    assert (users(path).groups["ann"], users(path).users["ann"]) == (("staff",), before)
    assert run(path, "ann", typed="another horse", monkeypatch=monkeypatch) == EXIT_OK
    assert users(path).groups["ann"] == ("staff",) and users(path).users["ann"] != before
    assert run(path, "ann", "--groups", "", typed="", monkeypatch=monkeypatch) == EXIT_OK
    assert users(path).groups["ann"] == ()
    assert capsys.readouterr().out.splitlines() == [
        "ann can log in.",
        "ann is in staff.",
        "ann has a new password. Sessions logged in with the old one are logged out.",
        "ann is in no group.",
    ]


def test_group_that_the_file_cannot_hold_is_refused(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(path, "ann", "--groups", "a:b") == EXIT_USAGE
    assert "--groups: expected names of visible characters without a colon" in capsys.readouterr().err


def test_hash_for_proxies_is_written_if_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(path, "ann", "--htpasswd", typed="correct horse", monkeypatch=monkeypatch) == EXIT_OK
    assert path.read_text(encoding="utf-8").startswith("ann:$6$")
    assert users(path).check("ann", "correct horse")
    words = ("--groups", "staff", "--htpasswd")  # which asks for the password: the old one is not known
    assert run(path, "ann", *words, typed="another horse", monkeypatch=monkeypatch) == EXIT_OK
    assert users(path).check("ann", "another horse") and users(path).groups["ann"] == ("staff",)
