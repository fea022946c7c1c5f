"""Sessions' processes, looked after: whose ends, signals and clock a test makes."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.processes.forking import exit_records, keeper
from app_server.processes.forking.busy_table import BusyEntry, BusyTable
from app_server.processes.forking.exit_records import ExitReason, ExitRecord
from app_server.processes.forking.keeper import (
    OUT_OF_MEMORY,
    PUT_BACK,
    Child,
    ProcessKeeper,
    SessionLimits,
    end_left_behind,
)
from app_server.processes.forking.proc import ProcessIdentity
from tests.unit.processes.forking.machine import Machine

GONE = ProcessIdentity(2**22 + 1, 1)
"""A process that no machine has: ids end below."""


class Below(Machine):
    """The system under a keeper: who got which signal and priority, who has ended, what time it is."""

    def __init__(self) -> None:
        super().__init__(1000.0, first_pid=0)
        self.lowered: list[tuple[int, bool]] = []
        self.long_s = 0.25


class Noting:
    """Priorities that are noted instead of given: who has the low one, and who has it no more."""

    def __init__(self, machine: Below) -> None:
        self._machine = machine

    def is_long(self, busy_s: float) -> bool:
        return busy_s > self._machine.long_s

    def give(self, pid: int, *, low: bool) -> None:
        self._machine.lowered.append((pid, low))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Below:
    made = Below()
    monkeypatch.setattr(keeper, "ended_children", made.waited)
    monkeypatch.setattr(keeper, "os", types.SimpleNamespace(**vars(os) | {"kill": made.kill}))
    monkeypatch.setattr(keeper, "Priorities", lambda: Noting(made))
    clock = types.SimpleNamespace(monotonic=lambda: made.now_s)
    monkeypatch.setattr(keeper, "time", clock)
    monkeypatch.setattr("app_server.processes.forking.busy_table.time", clock)
    return made


class Kept:
    """A keeper of one child, with a dead socket's name, a page's note and a lifeline, as a session's process leaves."""

    def __init__(self, folder: Path, limits: SessionLimits | None = None, pid: int = 7) -> None:
        self.socket_path = folder / "s-one"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket_path))
        exit_records.note_page(self.socket_path, ["p1"])
        self.table = BusyTable(2)
        self.keeper = ProcessKeeper(folder, limits or SessionLimits(), [self.table])
        mark = self.table.take()
        assert mark is not None
        mark.sign(BusyEntry(ProcessIdentity(pid, 1), self.socket_path.name, "/app session abc…"))
        self.mark = mark
        self.held, lifeline = socket.socketpair()
        self.held.setblocking(False)
        self.child = Child(pid, "/app session abc…", self.socket_path, mark, lifeline)
        self.keeper.add(self.child)

    @property
    def is_told(self) -> bool:
        """Whether who asked for the process has heard of its end."""
        try:
            return self.held.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def kept(tmp_path: Path, machine: Below) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.held.close()
    if made.child.lifeline is not None:
        made.child.lifeline.close()


@pytest.mark.parametrize(
    ("code", "end", "line"),
    [
        (1, ExitReason.CRASH, "its process ended unexpectedly: status 1"),
        (-signal.SIGSEGV, ExitReason.CRASH, "its process ended unexpectedly: SIGSEGV"),
        (
            -signal.SIGKILL,
            ExitReason.CRASH,
            "its process ended unexpectedly: SIGKILL; maybe the machine ran out of memory",
        ),
        (OUT_OF_MEMORY, ExitReason.MEMORY, "killed: exceeded --session-memory"),
        (-signal.SIGXCPU, ExitReason.CPU, "killed: exceeded --session-cpu"),
    ],
)
def test_why_a_child_ended_is_logged_and_left_for_its_page(
    kept: Kept, machine: Below, caplog: pytest.LogCaptureFixture, code: int, end: ExitReason, line: str
) -> None:
    assert not kept.is_told
    machine.ended.append((7, code))
    kept.keeper.reap()
    assert caplog.messages == [f"/app session abc…: {line}"]
    assert exit_records.find(kept.socket_path) == ExitRecord(end, ("p1",))
    assert not kept.socket_path.exists() and kept.is_told and len(kept.keeper) == 0
    assert kept.mark.entry is None


@pytest.mark.parametrize("how", ["orderly", "stopping"])
def test_an_orderly_end_leaves_nothing(kept: Kept, machine: Below, caplog: pytest.LogCaptureFixture, how: str) -> None:
    if how == "stopping":
        kept.keeper.stop(signal.SIGTERM)
        assert machine.sent == [(7, signal.SIGTERM)]
    machine.ended.append((7, 0 if how == "orderly" else -signal.SIGKILL))
    kept.keeper.reap()
    assert caplog.messages == [] and exit_records.find(kept.socket_path) is None
    assert exit_records.settled(kept.socket_path) and not kept.socket_path.exists() and kept.is_told


def test_the_name_of_another_process_is_not_taken_away(kept: Kept, machine: Below) -> None:
    kept.socket_path.unlink()
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(str(kept.socket_path))
        successor.listen()
        machine.ended.append((7, 0))
        kept.keeper.reap()
        assert kept.socket_path.exists() and not exit_records.settled(kept.socket_path)


def test_a_full_disk_does_not_keep_who_asked_from_hearing_of_the_end(
    kept: Kept, machine: Below, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str, *, durable: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exit_records, "write_atomically", full)
    machine.ended.append((7, 1))
    kept.keeper.reap()
    assert caplog.messages == [
        "/app session abc…: its process ended unexpectedly: status 1",
        "/app session abc…: cannot record why it ended: No space left on device",
    ]
    assert kept.is_told and len(kept.keeper) == 0


def test_who_is_no_child_of_a_session_is_ignored(kept: Kept, machine: Below) -> None:
    machine.ended.append((8, 1))
    kept.keeper.reap()
    assert len(kept.keeper) == 1


def test_a_living_process_is_reminded_of_its_name_and_one_about_to_end_is_not(kept: Kept, machine: Below) -> None:
    assert kept.keeper.remind(kept.socket_path) and machine.sent == [(7, PUT_BACK)]
    assert not kept.keeper.remind(kept.socket_path.with_name("s-two"))
    kept.mark.resign()
    assert not kept.keeper.has(kept.socket_path) and not kept.keeper.remind(kept.socket_path)


def test_one_that_is_about_to_be_killed_is_not_reminded(kept: Kept) -> None:
    kept.child.end = ExitReason.CALLBACK
    assert not kept.keeper.remind(kept.socket_path)


def test_a_callback_over_its_limit_tells_where_it_is_and_is_killed_then(
    tmp_path: Path, machine: Below, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path, SessionLimits(callback_s=0.5))
    kept.mark.busy()
    machine.now_s += 0.4
    kept.keeper.look_after()
    assert machine.sent == []
    machine.now_s += 0.2
    kept.keeper.look_after()
    machine.now_s += 0.45
    kept.keeper.look_after()
    assert machine.sent == [(7, signal.SIGUSR1)]
    machine.now_s += 0.06
    kept.keeper.look_after()
    kept.keeper.look_after()
    assert machine.sent == [(7, signal.SIGUSR1), (7, signal.SIGKILL)]
    machine.ended.append((7, -signal.SIGKILL))
    kept.keeper.reap()
    assert caplog.messages == [
        "/app session abc…: a callback takes longer than 0.5 s. Its stack:",
        "/app session abc…: killed: a callback exceeded --callback-limit",
    ]
    found = exit_records.find(kept.socket_path)
    assert found is not None and found.end is ExitReason.CALLBACK


def test_why_a_callback_is_killed_is_known_even_if_the_killer_crashes(tmp_path: Path, machine: Below) -> None:
    kept = Kept(tmp_path, SessionLimits(callback_s=0.5))
    kept.mark.busy()
    for pause_s in (0.6, 0.6):
        machine.now_s += pause_s
        kept.keeper.look_after()
    assert machine.sent[-1] == (7, signal.SIGKILL)
    found = exit_records.find(kept.socket_path)
    assert found is not None and (found.end, found.roots) == (ExitReason.CALLBACK, ("p1",))


def test_a_callback_that_comes_back_after_its_warning_is_let_live(tmp_path: Path, machine: Below) -> None:
    kept = Kept(tmp_path, SessionLimits(callback_s=0.5))
    for _ in range(2):
        kept.mark.busy()
        machine.now_s += 0.6
        kept.keeper.look_after()
        kept.mark.idle()
        machine.now_s += 0.2
        kept.keeper.look_after()
    assert machine.sent == [(7, signal.SIGUSR1)] * 2


def test_a_blocked_session_is_told_once_and_its_end_too(
    tmp_path: Path, machine: Below, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path, SessionLimits(block_s=2.0))
    kept.mark.busy()
    for _ in range(3):
        machine.now_s += 1.5
        kept.keeper.look_after()
    kept.mark.busy()  # another turn, without a pause between
    kept.keeper.look_after()
    assert machine.sent == [(7, signal.SIGUSR1)]
    assert caplog.messages == [
        "/app session abc…: has been blocked for 3.0 s. Its stack:",
        "/app session abc…: goes on; it was blocked for 4.5 s",
    ]


def test_who_computes_for_long_gets_a_lower_priority_until_it_is_done(kept: Kept, machine: Below) -> None:
    kept.mark.busy()
    machine.now_s += 0.2
    kept.keeper.look_after()
    assert machine.lowered == []
    machine.now_s += 0.1
    kept.keeper.look_after()
    kept.keeper.look_after()
    kept.mark.idle()
    kept.keeper.look_after()
    assert machine.lowered == [(7, True), (7, False)]


def test_who_is_asked_for_the_stack_has_the_normal_priority_for_it(tmp_path: Path, machine: Below) -> None:
    kept = Kept(tmp_path, SessionLimits(block_s=1.0))
    kept.mark.busy()
    machine.now_s += 0.5
    kept.keeper.look_after()
    assert machine.lowered == [(7, True)]
    machine.now_s += 0.6
    kept.keeper.look_after()
    assert (machine.sent, machine.lowered) == ([(7, signal.SIGUSR1)], [(7, True), (7, False)])
    machine.now_s += 0.6
    kept.keeper.look_after()
    assert machine.lowered == [(7, True), (7, False), (7, True)]


def test_who_is_killed_for_a_callback_keeps_the_normal_priority_to_its_end(tmp_path: Path, machine: Below) -> None:
    kept = Kept(tmp_path, SessionLimits(callback_s=1.0))
    kept.mark.busy()
    for _ in range(4):
        machine.now_s += 0.6
        kept.keeper.look_after()
    assert machine.sent == [(7, signal.SIGUSR1), (7, signal.SIGKILL)]
    assert machine.lowered == [(7, True), (7, False)]


def test_what_a_predecessor_has_given_a_lower_priority_gets_the_normal_one_when_it_is_done(
    tmp_path: Path, machine: Below
) -> None:
    before, own = BusyTable(1), ProcessIdentity.own()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ProcessIdentity, "own", classmethod(lambda cls: GONE))
        before.own()  # by the process that has crashed
    mark = before.take()
    assert mark is not None
    mark.sign(BusyEntry(own, "s-one", "/app session abc…"))
    mark.idle()  # it was busy when that process crashed
    kept = ProcessKeeper(tmp_path, SessionLimits(), [before, BusyTable(1)])
    kept.reap()
    kept.look_after()
    kept.look_after()
    assert machine.lowered == [(own.pid, False)]


def test_what_a_crashed_process_left_is_adopted_and_its_end_is_found_out(
    tmp_path: Path, machine: Below, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    before, now = BusyTable(2), BusyTable(2)
    socket_path = tmp_path / "s-one"
    exit_records.note_page(socket_path, ["p1"])
    with monkeypatch.context() as patched:
        patched.setattr(ProcessIdentity, "own", classmethod(lambda cls: GONE))
        before.own()  # by the process that has crashed
    mark = before.take()
    assert mark is not None
    mark.sign(BusyEntry(ProcessIdentity.own(), socket_path.name, "/app session abc…"))
    kept = ProcessKeeper(tmp_path, SessionLimits(cpu_s=100), [before, now])
    kept.reap()
    kept.reap()
    (child,) = kept
    assert (child.socket_path, child.adopted, child.pid) == (socket_path, ProcessIdentity.own(), os.getpid())
    assert kept.has(socket_path) and caplog.messages == ["A fork server crashed; its successor takes over 1 sessions"]
    machine.ended.append((os.getpid(), 0))  # no child, so that the kernel cannot have said so
    kept.reap()
    assert len(kept) == 1
    with monkeypatch.context() as patched:
        patched.setattr(ProcessIdentity, "lives", property(lambda self: False))
        kept.reap()
    assert len(kept) == 0 and mark.entry is None
    assert exit_records.find(socket_path) == ExitRecord(ExitReason.CRASH, ("p1",))
    assert caplog.messages[-1] == "/app session abc…: its process ended unexpectedly"


def test_process_that_was_ending_in_order_when_it_was_adopted_leaves_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, now = BusyTable(2), BusyTable(2)
    with monkeypatch.context() as patched:
        patched.setattr(ProcessIdentity, "own", classmethod(lambda cls: GONE))
        before.own()  # by the process that has crashed
    mark = before.take()
    assert mark is not None
    mark.sign(BusyEntry(ProcessIdentity.own(), "s-one", "/app session abc…"))
    mark.resign()
    kept = ProcessKeeper(tmp_path, SessionLimits(), [before, now])
    kept.reap()
    kept.reap()
    assert len(kept) == 1
    caplog.clear()
    with monkeypatch.context() as patched:
        patched.setattr(ProcessIdentity, "lives", property(lambda self: False))
        kept.reap()
    assert (len(kept), mark.entry) == (0, None)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert list(tmp_path.iterdir()) == []


def test_why_a_process_ended_that_was_no_child_is_guessed(tmp_path: Path) -> None:
    limits = SessionLimits(cpu_s=10)
    kept = ProcessKeeper(tmp_path, limits, [BusyTable(1)])
    (tmp_path / "s-1.page").write_text(json.dumps([]))
    child = Child(1, "it", tmp_path / "s-1", None)
    assert kept._guessed(child) is ExitReason.CRASH
    child.cpu_s = 9.2
    assert kept._guessed(child) is ExitReason.CPU
    (tmp_path / "s-1.page").unlink()
    assert kept._guessed(child) is None  # it has taken its note along


def test_a_forked_process_keeps_no_lifeline_of_the_others(kept: Kept) -> None:
    kept.keeper.forget_all()
    assert len(kept.keeper) == 0 and kept.is_told


def test_a_signal_to_who_is_gone_is_no_error(tmp_path: Path) -> None:
    Child(GONE.pid, "it", tmp_path / "s-1", None).send(signal.SIGTERM)
    Child(GONE.pid, "it", tmp_path / "s-1", None, adopted=GONE).send(signal.SIGTERM)


def test_who_is_left_at_the_end_is_asked_and_killed_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    now_s = [0.0]
    living = {11, 12}

    def pass_time(duration_s: float) -> None:
        now_s[0] += duration_s
        if now_s[0] > 1.0:
            living.discard(11)

    def tell(self: ProcessIdentity, number: int) -> bool:
        sent.append((self.pid, number))
        return self.pid in living

    monkeypatch.setattr(keeper, "time", types.SimpleNamespace(monotonic=lambda: now_s[0], sleep=pass_time))
    monkeypatch.setattr(ProcessIdentity, "signal", tell)
    monkeypatch.setattr(ProcessIdentity, "lives", property(lambda self: self.pid in living))
    tables = [BusyTable(3)]
    for pid in (11, 12, 13):
        mark = tables[0].take()
        assert mark is not None
        mark.sign(BusyEntry(ProcessIdentity(pid, 1), "s-1", "it"))
    end_left_behind(tables, signal.SIGINT, 3.0)
    assert sent == [(11, signal.SIGINT), (12, signal.SIGINT), (13, signal.SIGINT), (12, signal.SIGKILL)]
    assert 3.0 <= now_s[0] < 3.1
