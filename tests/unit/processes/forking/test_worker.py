"""A worker's life and its slot's pauses; times are numbers."""

from __future__ import annotations

import os

import pytest

from app_server.processes.forking.heartbeat import Heartbeat
from app_server.processes.forking.worker import MasterLimits, Slot, Task, Worker, WorkerState


class Beating(Heartbeat):
    """A loop that turned so long ago."""

    def __init__(self, age_s: float = 0.0) -> None:
        super().__init__()
        self._age_s = age_s

    def beat(self) -> None:
        """Now."""
        self._age_s = 0.0

    def age_s(self) -> float:
        """As given."""
        return self._age_s


def worker(age_s: float = 0.0, state: WorkerState = WorkerState.STARTING) -> Worker:
    """A worker of slot 0, started at 100 s."""
    return Worker(0, 1000, -1, Beating(age_s), 100.0, state)


def test_ready_worker_has_a_fresh_heartbeat() -> None:
    made = worker(age_s=50.0)
    made.become_ready()
    assert made.state is WorkerState.READY and made.heartbeat.age_s() == 0.0


def test_worker_that_has_not_left_in_time_is_to_be_killed_once() -> None:
    made = worker(state=WorkerState.READY)
    assert not made.must_be_killed(1e9)
    made.leave(kill_at_s=110.0)
    assert made.state is WorkerState.LEAVING
    assert [made.must_be_killed(now_s) for now_s in (110.0, 110.1, 110.2)] == [False, True, False]


@pytest.mark.parametrize(
    ("state", "age_s", "now_s", "fault"),
    [
        (WorkerState.READY, 30.0, 200.0, None),
        (WorkerState.READY, 31.0, 200.0, "has not moved for 31 s"),
        (WorkerState.STARTING, 31.0, 160.0, None),
        (WorkerState.STARTING, 31.0, 161.0, "has not come to serving within 61 s"),
        (WorkerState.LEAVING, 31.0, 200.0, None),
    ],
)
def test_worker_that_hangs_has_a_fault(state: WorkerState, age_s: float, now_s: float, fault: str | None) -> None:
    assert worker(age_s, state).fault(MasterLimits(10, hang_s=30, start_s=60), now_s) == fault
    assert worker(age_s, state).fault(MasterLimits(10, hang_s=0), now_s) is None, "0 is no limit"


def test_fault_is_reported_for_the_first_time_once() -> None:
    made = worker()
    assert [made.report_hung() for _ in range(3)] == [True, False, False]


def test_pauses_double_up_to_half_a_minute_and_begin_again_after_a_long_life() -> None:
    slot = Slot(0)
    pauses = [slot.pause(now_s=0.0, lived_s=1.0) for _ in range(11)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0])
    assert slot.pause(now_s=0.0, lived_s=60.1) == 0.1


def test_slot_is_due_after_its_pause_until_its_worker_is_started() -> None:
    slot = Slot(0)
    assert not slot.is_due(1e9)
    slot.pause(now_s=100.0, lived_s=1.0)
    assert not slot.is_due(100.05) and slot.is_due(100.2)
    slot.begin_start()
    assert not slot.is_due(1e9)


def test_slot_is_replacing_while_the_newest_of_two_starts() -> None:
    slot = Slot(0)
    assert slot.newest is None and not slot.is_replacing
    slot.workers.append(old := worker())
    assert slot.newest is old and not slot.is_replacing
    slot.workers.append(new := worker())
    assert slot.newest is new and slot.is_replacing
    new.become_ready()
    assert not slot.is_replacing


def test_task_reports_ready_and_knows_when_its_parent_has_ended() -> None:
    parent_pipe, life = os.pipe()
    reading, writing = os.pipe()
    task = Task(0, True, Heartbeat(), parent_pipe, writing)
    task.report_ready()
    assert os.read(reading, 10) == b"+"
    assert not task.is_orphaned
    os.close(life)
    assert task.is_orphaned
    for descriptor in (parent_pipe, reading, writing):
        os.close(descriptor)
