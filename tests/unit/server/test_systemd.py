"""What the server reports to systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.server.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def heard(manager: socket.socket) -> list[str]:
    """The lines of the datagrams that have come."""
    manager.setblocking(False)
    lines: list[str] = []
    while True:
        try:
            lines += manager.recv(4096).decode().split("\n")
        except BlockingIOError:
            return lines


def notifier(manager: socket.socket, **variables: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname(), **variables}, clock=lambda: 100.0)


def test_ready_and_stopping_are_said_once(manager: socket.socket) -> None:
    under_test = notifier(manager)
    for _ in range(2):
        under_test.ready("two\nlines")
        under_test.stopping()
    assert heard(manager) == ["READY=1", "STATUS=two lines", "STOPPING=1"]


def test_without_systemd_nothing_is_said() -> None:
    under_test = Notifier({})
    under_test.ready()
    under_test.alive()
    assert not under_test and under_test.watchdog_s == 0


def test_variables_are_not_left_to_children() -> None:
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Notifier(environ).ready()  # a socket that is not there fails nobody
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("usec", "pid", "expected_s"),
    [("30000000", "", 30.0), ("500000", str(os.getpid()), 0.5), ("30000000", "1", 0.0), ("soon", "", 0.0)],
    ids=["anybody's", "ours", "another's", "no number"],
)
def test_watchdog_is_for_the_process_that_it_names(
    manager: socket.socket, usec: str, pid: str, expected_s: float
) -> None:
    assert notifier(manager, WATCHDOG_USEC=usec, WATCHDOG_PID=pid).watchdog_s == expected_s


def test_main_process_is_ready_when_all_workers_are(manager: socket.socket) -> None:
    under_test = notifier(manager, WATCHDOG_USEC="30000000")
    under_test.tick(1, 2)
    assert heard(manager) == ["WATCHDOG=1", "STATUS=1 of 2 processes are ready"]
    under_test.tick(2, 2)
    under_test.tick(2, 2)
    assert heard(manager) == ["READY=1", "STATUS=2 of 2 processes are ready"]


def test_main_process_without_workers_lets_the_watchdog_bite(manager: socket.socket) -> None:
    now_s = [100.0]
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    under_test = Notifier(environ, clock=lambda: now_s[0])
    for ready in (2, 1, 0, 0, 1):
        under_test.tick(ready, 2)
        now_s[0] += 15
    lines = heard(manager)
    assert lines.count("WATCHDOG=1") == 3
    under_test.tick(0, 2, stopping=True)
    assert heard(manager) == ["STOPPING=1"]


def test_a_rolling_restart_is_told_from_its_begin_to_its_end(manager: socket.socket) -> None:
    under_test = notifier(manager)
    under_test.tick(2, 2)
    for replacing in (True, True, False, False):
        under_test.tick(2, 2, replacing=replacing)
    lines = heard(manager)
    assert [line for line in lines if line.startswith(("READY", "RELOADING"))] == ["READY=1", "RELOADING=1", "READY=1"]
    assert any(line.startswith("MONOTONIC_USEC=") for line in lines)


def test_workers_that_do_not_move_let_the_watchdog_bite(manager: socket.socket) -> None:
    now_s = [100.0]
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    under_test = Notifier(environ, clock=lambda: now_s[0])
    for moves in (True, False, False):
        under_test.tick(2, 2, moves=moves)
        now_s[0] += 15
    assert heard(manager).count("WATCHDOG=1") == 1
