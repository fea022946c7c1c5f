"""Scheduled tasks: when they run, and that what is cancelled, or is another process's, does not."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterator

import pytest

from app_server.guests.tasks import OwnTasks, Task, TaskSchedule


class Loop:
    """A clock, and what is to be called."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._calls, (self.now_s + delay_s, self._number, call))

    def go_on(self, seconds: float) -> None:
        """Let so much time pass."""
        end_s = self.now_s + seconds
        while self._calls and self._calls[0][0] <= end_s:
            self.now_s, _, call = heapq.heappop(self._calls)
            call()
        self.now_s = end_s


class Claimed(OwnTasks):
    """Claims that another process has some of."""

    def __init__(self, *others: str) -> None:
        self.others = set(others)
        self.cancelled_names: list[str] = []
        self.released = 0

    def mine(self, name: str) -> bool:
        return name not in self.others

    def cancel(self, name: str) -> None:
        self.cancelled_names.append(name)

    def cancelled(self, name: str, since_ns: int) -> bool:
        return name in self.cancelled_names

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def schedule(loop: Loop) -> TaskSchedule:
    return TaskSchedule(lambda: loop.now_s)


def every(loop: Loop, seconds: float) -> Iterator[float]:
    due_s = loop.now_s
    while True:
        due_s += seconds
        yield due_s


def task(name: str, due: Iterator[float], runs: list[str]) -> Task:
    return Task(name, len, due, lambda: runs.append(name))


def test_task_runs_whenever_it_is_due(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.add(task("a", every(loop, 10), runs))
    loop.go_on(9)
    assert runs == []
    loop.go_on(1)
    assert runs == ["a"]
    loop.go_on(3600)
    assert len(runs) == 361


def test_task_waits_for_the_server_and_ends_with_it(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    claims = Claimed()
    schedule.add(task("a", every(loop, 10), runs))
    loop.go_on(100)
    assert runs == []
    schedule.begin(loop.later, claims)
    loop.go_on(10)
    assert runs == ["a"]
    schedule.end()
    assert claims.released == 1 and schedule.get("a") is None
    loop.go_on(100)
    assert runs == ["a"]


def test_tasks_of_two_servers_end_with_the_last_one(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.begin(loop.later, OwnTasks())
    schedule.add(task("a", every(loop, 10), runs))
    schedule.end()
    loop.go_on(10)
    schedule.end()
    loop.go_on(10)
    assert runs == ["a"]


def test_last_time_forgets_the_task(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.add(task("a", iter([1005.0, 1006.0]), runs))
    loop.go_on(100)
    assert runs == ["a", "a"] and schedule.get("a") is None


def test_cancelled_task_does_not_run(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.add(task("a", every(loop, 10), runs))
    schedule.cancel("a")
    with pytest.raises(KeyError):
        schedule.cancel("a")
    loop.go_on(100)
    assert runs == []


def test_cancelled_task_may_run_once_more(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.add(task("a", every(loop, 10), runs))
    schedule.cancel("a", after_next=True)
    loop.go_on(100)
    assert runs == ["a"] and schedule.get("a") is None


def test_name_is_free_after_cancelling(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.add(Task("a", len, every(loop, 10), lambda: runs.append("old")))
    schedule.cancel("a")
    schedule.add(Task("a", len, every(loop, 10), lambda: runs.append("new")))
    loop.go_on(20)
    assert runs == ["new", "new"]


def test_task_of_another_process_runs_there(
    loop: Loop, schedule: TaskSchedule, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[str] = []
    claims = Claimed("a")
    caplog.set_level(logging.INFO, "app_server")
    schedule.begin(loop.later, claims)
    schedule.add(task("a", every(loop, 10), runs))
    schedule.add(task("b", every(loop, 10), runs))
    loop.go_on(30)
    assert runs == ["b"] * 3
    assert caplog.messages == ["Task a runs in another worker process. To run it in each, give --tasks every"]
    claims.others.clear()  # that one has ended
    loop.go_on(10)
    assert sorted(runs) == ["a", "b", "b", "b", "b"]


def test_task_that_another_process_has_cancelled_is_forgotten(loop: Loop, schedule: TaskSchedule) -> None:
    runs: list[str] = []
    claims = Claimed()
    schedule.begin(loop.later, claims)
    schedule.add(task("a", every(loop, 10), runs))
    claims.cancelled_names.append("a")
    loop.go_on(30)
    assert runs == [] and schedule.get("a") is None


def test_process_of_one_session_schedules_nothing(
    loop: Loop, schedule: TaskSchedule, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[str] = []
    schedule.add(task("of the setup", every(loop, 10), runs))
    schedule.leave_to_others()
    schedule.add(task("of the setup", every(loop, 10), runs))
    assert caplog.messages == []
    schedule.add(task("a", every(loop, 10), runs))
    assert schedule.get("a") is None
    assert caplog.messages == [
        "a is not scheduled: this process ends with its session. Schedule it in a file for --setup"
    ]


def test_times_that_raise_end_their_task_only(
    loop: Loop, schedule: TaskSchedule, caplog: pytest.LogCaptureFixture
) -> None:
    def times() -> Iterator[float]:
        yield loop.now_s
        raise ZeroDivisionError

    runs: list[str] = []
    schedule.begin(loop.later, OwnTasks())
    schedule.add(task("faulty", times(), runs))
    schedule.add(task("a", every(loop, 10), runs))
    loop.go_on(20)
    assert runs == ["faulty", "a", "a"]
    assert caplog.messages == ["Task faulty has no next time: its times raised an exception"]
