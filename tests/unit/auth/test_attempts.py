"""Checking passwords, and the file that they are in."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.auth import attempts
from app_server.auth.attempts import PasswordChecks, Users, whole_s
from app_server.auth.shared_failures import SharedFailures
from tests.unit.auth.two_users import lines


async def test_no_more_passwords_are_remembered_than_there_is_room_for(
    users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_MOST_REMEMBERED", 1)
    checks = PasswordChecks(Users(str(users)), lambda text: text)
    for name, password in (("ann", "her password"), ("bob", "his password")):
        assert (await checks.attempt(name, password, "192.0.2.1")).user is not None
    assert checks.remembered == 1
    checks.stop()


async def test_login_at_the_site_forgives_no_guesses_at_the_console(
    users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedFailures()
    monkeypatch.setattr(attempts, "shared_failures", lambda: shared)
    operators = tmp_path / "operators"
    operators.write_text(lines(ann="another password"), encoding="utf-8")
    site = PasswordChecks(Users(str(users)), lambda text: text)
    console = PasswordChecks(Users(str(operators)), lambda text: text, "console")
    for number in range(5):
        assert (await console.attempt("ann", f"guess {number}", "192.0.2.1")).wait_s == 0
    assert (await site.attempt("ann", "her password", "192.0.2.1")).user is not None
    assert (await console.attempt("ann", "guess", "192.0.2.1")).wait_s > 0
    for checks in (site, console):
        checks.stop()


def test_file_that_is_broken_lets_nobody_in_and_is_logged_once_until_it_is_mended(
    users: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = Users(str(users))
    assert set(read.now().users) == {"ann", "bob"}
    users.write_text("nonsense")
    assert not read.now().users and not read.now().users
    assert caplog.messages == [
        f"No user can log in. {users}:1: the line does not begin with a user's name and a colon. "
        + caplog.messages[0].partition("and a colon. ")[2]
    ]
    users.write_bytes(b"\xff\xfe")
    assert not read.now().users and caplog.messages[1:] == [f"No user can log in. {users}: is not UTF-8 text"]
    users.unlink()
    assert not read.now().users
    assert caplog.messages[2:] == [f"No user can log in. {users}: cannot be read: No such file or directory"]
    users.write_text(lines(ann="new"))
    assert set(read.now().users) == {"ann"}


def test_file_of_a_windows_editor_is_read(users: Path) -> None:
    users.write_bytes(b"\xef\xbb\xbf" + lines(ann="her password").replace("\n", "\r\n").encode())
    read = Users(str(users)).load()
    assert set(read.users) == {"ann"} and read.check("ann", "her password")


def test_file_that_all_can_read_is_named(users: Path, caplog: pytest.LogCaptureFixture) -> None:
    users.chmod(0o644)
    Users(str(users)).load()
    assert caplog.messages == [f"{users} can be read by every user of this machine. Run: chmod 600 {users}"]


@pytest.mark.parametrize(("wait_s", "whole"), [(0.0, 1), (1.0, 1), (1.01, 2), (29.5, 30)])
def test_nobody_is_asked_to_come_back_too_early(wait_s: float, whole: int) -> None:
    assert whole_s(wait_s) == whole
