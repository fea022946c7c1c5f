"""The main process and its workers, whose forks, ends, signals and clock a test makes; nothing waits."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.processes.forking import heartbeat, parent_loop
from app_server.processes.forking import master as masters
from app_server.processes.forking.forks import ended_children
from app_server.processes.forking.heartbeat import Heartbeat
from app_server.processes.forking.master import CANNOT_GO_ON, CANNOT_START, Master
from app_server.processes.forking.stop_signals import StopSignals
from app_server.processes.forking.worker import MasterLimits, Task
from tests.support.descriptors import channels
from tests.unit.processes.forking.machine import FIRST_PID, Machine


class Main(Machine):
    """The system under a main process: who was forked, who got which signal, who has ended, and what time it is."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[int, Task] = {}
        self.no_more = 0
        self._made: list[Task] = []

    def task(self, slot: int, first: bool, heartbeat: Heartbeat, parent_pipe: int, ready_pipe: int) -> Task:
        """The real one, with a ready pipe that stays open when the parent closes its own."""
        made = Task(slot, first, heartbeat, parent_pipe, os.dup(ready_pipe))
        self._made.append(made)
        return made

    def fork(self, work: Callable[[], int]) -> int:
        """A process that does nothing but what the test has it do."""
        made = self._made.pop()
        if self.no_more:
            self.no_more -= 1
            os.close(made._ready_pipe)
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        pid = FIRST_PID + len(self.tasks)
        self.tasks[pid] = made
        return pid

    def ready(self, *numbers: int) -> None:
        """These take connections now."""
        for number in numbers:
            self.tasks[FIRST_PID + number].report_ready()

    @property
    def slots(self) -> list[int]:
        """The slots for which there were forks, in their order."""
        return [task.slot for task in self.tasks.values()]

    def close(self) -> None:
        """Close what was kept open for the processes."""
        for task in self.tasks.values():
            os.close(task._ready_pipe)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Main]:
    made = Main()
    monkeypatch.setattr(masters, "Task", made.task)
    monkeypatch.setattr(masters, "fork", made.fork)
    monkeypatch.setattr(masters, "ended_children", made.waited)
    monkeypatch.setattr(masters, "time", types.SimpleNamespace(monotonic=lambda: made.now_s))
    monkeypatch.setattr(heartbeat, "time", types.SimpleNamespace(monotonic=lambda: made.now_s))
    monkeypatch.setattr(parent_loop, "StopSignals", lambda: StopSignals(lambda: made.now_s))
    monkeypatch.setattr(masters, "os", types.SimpleNamespace(**vars(os) | {"kill": made.kill}))
    monkeypatch.setattr(masters, "_TICK_S", 0)
    before = {number: signal.getsignal(number) for number in masters._HANDLED}
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)
    made.close()


Story = Callable[[Main, Master], Iterator[float | None]]


def played(machine: Main, story: Story, slots: int = 1, limits: MasterLimits | None = None, **hooks: Any) -> int:
    """The exit status of a main process to which this happens; what a story yields is how many seconds pass then.

    When the story is over, SIGTERM ends it, and all that are still there end.
    """
    stories: list[Iterator[float | None]] = []
    ready: list[int] = []

    def tick(count: int) -> None:
        ready.append(count)
        step = next(stories[0], None)
        if step is not None:
            machine.now_s += step
            return
        machine.now_s += 0.01
        if not made.stopping:
            signal.raise_signal(signal.SIGTERM)
        for number in set(range(len(machine.tasks))) - gone:
            machine.end(number)
            gone.add(number)

    gone: set[int] = set()
    end = machine.end

    def noted(number: int, code: int = 0) -> None:
        gone.add(number)
        end(number, code)

    machine.end = noted  # type: ignore[method-assign]
    made = Master(slots, lambda task: 0, limits or MasterLimits(10, 0), tick=tick, **hooks)
    stories.append(story(machine, made))
    return made.run()


def test_each_slot_has_a_worker_and_is_announced_before(machine: Main) -> None:
    announced: list[int] = []

    def story(machine: Main, master: Master) -> Iterator[float]:
        assert announced == machine.slots == [0, 1, 2]
        assert [task.first for task in machine.tasks.values()] == [True, True, True]
        yield 0.5

    assert played(machine, story, slots=3, starts=announced.append) == 0
    assert machine.sent == [(0, signal.SIGTERM), (1, signal.SIGTERM), (2, signal.SIGTERM)]


def test_the_pauses_between_starts_grow_to_half_a_minute_and_are_short_again_after_a_long_life(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []

    def story(machine: Main, master: Master) -> Iterator[float]:
        for _ in range(11):
            machine.end(len(machine.tasks) - 1, 1)
            before_s, forks = machine.now_s, len(machine.tasks)
            yield 0.0
            while len(machine.tasks) == forks:
                yield 0.05
            pauses.append(machine.now_s - before_s)
        machine.ready(11)
        yield 61.0
        machine.end(11, -signal.SIGSEGV)
        yield 0.0
        yield 0.1
        yield 0.0

    assert played(machine, story) == 0
    expected = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert all(wanted - 0.001 <= pause <= wanted + 0.11 for wanted, pause in zip(expected, pauses, strict=True)), pauses
    assert len(machine.tasks) == 13
    assert caplog.messages[0] == "Worker 0 (process 1000) ended with status 1 after 0 s; another one starts in 0.1 s"
    assert caplog.messages[-1] == "Worker 0 (process 1011) ended with SIGSEGV after 61 s; another one starts in 0.1 s"


def test_one_that_crashes_is_no_longer_the_first_and_the_others_go_on(machine: Main) -> None:
    counts: list[int] = []

    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0, 1)
        yield 0.0
        assert master.moves(1.0)
        machine.end(1, -signal.SIGKILL)
        yield 0.0
        yield 0.2
        assert machine.slots == [0, 1, 1] and not machine.tasks[1002].first
        counts.append(sum(worker.state is masters.WorkerState.READY for worker in master._workers()))
        yield 0.0

    assert played(machine, story, slots=2) == 0
    assert counts == [1]
    assert (0, signal.SIGTERM) in machine.sent


def test_what_a_new_start_would_not_mend_ends_the_server_before_it_was_ready(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.end(0, CANNOT_START)
        yield 0.0
        assert master.stopping

    assert played(machine, story, slots=2) == 1
    assert machine.sent == [(1, signal.SIGINT)]
    assert machine.slots == [0, 1]


def test_what_fails_to_start_after_the_server_was_ready_is_started_again(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        machine.end(0, CANNOT_START)
        yield 0.0
        yield 0.2
        assert machine.slots == [0, 0] and not master.stopping

    assert played(machine, story) == 0


def test_what_only_a_new_start_of_the_server_would_mend_ends_it(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0, 1)
        yield 0.0
        machine.end(1, CANNOT_GO_ON)
        yield 0.0

    assert played(machine, story, slots=2) == 1
    assert machine.sent == [(0, signal.SIGTERM)]


def test_a_signal_during_the_start_ends_it_and_who_comes_late_is_not_ready(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        signal.raise_signal(signal.SIGTERM)
        yield 0.0
        machine.ready(0)
        yield 0.0
        assert not master.moves(60)
        machine.end(0, -signal.SIGTERM)

    assert played(machine, story) == 0
    assert machine.sent == [(0, signal.SIGTERM)]


@pytest.mark.parametrize(
    ("after_s", "sent", "status"),
    [(0.3, [(0, signal.SIGTERM)], 0), (1.5, [(0, signal.SIGTERM), (0, signal.SIGKILL)], 1)],
    ids=["repeated", "impatient"],
)
def test_a_second_signal_kills_if_it_comes_noticeably_later(
    machine: Main, after_s: float, sent: list[tuple[int, int]], status: int
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        signal.raise_signal(signal.SIGTERM)
        yield after_s
        signal.raise_signal(signal.SIGTERM)
        yield 0.0
        assert master.impatient == bool(status)

    assert played(machine, story) == status
    assert machine.sent == sent


def test_an_interrupt_soon_after_the_first_signal_hurries_the_workers(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        yield 0.0

    assert played(machine, story) == 0
    assert machine.sent == [(0, signal.SIGTERM), (0, signal.SIGINT)]


def test_who_does_not_leave_is_killed_once_five_seconds_after_its_time(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        signal.raise_signal(signal.SIGTERM)
        yield 14.9
        yield 0.0
        assert machine.sent == [(0, signal.SIGTERM)]
        yield 0.2
        yield 100.0
        yield 0.0
        machine.end(0, -signal.SIGKILL)

    assert played(machine, story, limits=MasterLimits(leave_s=10, hang_s=0)) == 0
    assert machine.sent == [(0, signal.SIGTERM), (0, signal.SIGKILL)]
    assert caplog.messages == [
        "Worker 0 (process 1000) did not leave in time; killing it",
        "Worker 0 (process 1000) ended with SIGKILL",
    ]


def test_who_stands_still_tells_where_and_is_killed_at_the_next_look(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 29.0
        machine.tasks[1000].heartbeat.beat()
        yield 29.0
        assert machine.sent == [] and master.moves(30)
        yield 2.0
        assert machine.sent == [(0, signal.SIGUSR1)] and not master.moves(30)
        yield 0.0

    assert played(machine, story, limits=MasterLimits(10, hang_s=30)) == 0
    assert machine.sent[:2] == [(0, signal.SIGUSR1), (0, signal.SIGKILL)]
    assert caplog.messages[0] == "Worker 0 (process 1000) has not moved for 31 s; ending it. Its stack:"


def test_who_does_not_come_to_serving_is_ended_too(machine: Main, caplog: pytest.LogCaptureFixture) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        yield 61.0
        yield 0.0
        yield 0.0
        machine.end(0, -signal.SIGKILL)
        yield 0.0

    assert played(machine, story, limits=MasterLimits(10, 30, start_s=60)) == 0
    assert machine.sent[:2] == [(0, signal.SIGUSR1), (0, signal.SIGKILL)]
    assert caplog.messages == [
        "Worker 0 (process 1000) has not come to serving within 61 s; ending it. Its stack:",
        "Worker 0 (process 1000) ended with SIGKILL after 61 s; another one starts in 0.1 s",
    ]


def test_workers_are_replaced_one_after_another_and_leave_once_their_successors_are_ready(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0, 1)
        yield 0.0
        signal.raise_signal(signal.SIGHUP)
        yield 0.0
        assert machine.slots == [0, 1, 0] and machine.sent == [] and master.replacing
        yield 5.0  # the successor takes its time
        assert machine.slots == [0, 1, 0]
        machine.ready(2)
        yield 0.0
        assert machine.slots == [0, 1, 0, 1] and machine.sent == [(0, signal.SIGTERM)] and master.replacing
        machine.ready(3)
        machine.end(0)
        yield 0.0
        assert machine.sent == [(0, signal.SIGTERM), (1, signal.SIGTERM)] and not master.replacing
        machine.end(1)
        yield 0.0

    assert played(machine, story, slots=2) == 0
    assert caplog.messages == [
        "Replacing the workers one after another",
        "Worker 0 (process 1000) has left",
        "Worker 1 (process 1001) has left",
    ]


def test_a_successor_that_does_not_start_leaves_the_old_worker_and_ends_the_replacing(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0, 1)
        yield 0.0
        signal.raise_signal(signal.SIGHUP)
        yield 0.0
        machine.end(2, 1)
        yield 0.0
        yield 60.0
        assert machine.slots == [0, 1, 0] and machine.sent == [] and not master.replacing

    assert played(machine, story, slots=2) == 0
    assert caplog.messages == ["The new worker 0 ended with status 1; the old one stays"]


def test_workers_stay_if_the_reload_finds_a_fault(machine: Main, caplog: pytest.LogCaptureFixture) -> None:
    def reload() -> None:
        raise OperatorError("certificate is for nobody", where="cert.pem")

    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        signal.raise_signal(signal.SIGHUP)
        yield 0.0
        assert machine.slots == [0] and not master.replacing

    assert played(machine, story, reload=reload) == 0
    assert caplog.messages == ["Not replacing the workers: cert.pem: certificate is for nobody"]


def test_nothing_is_replaced_while_the_server_stops(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        yield 0.0
        assert machine.slots == [0]

    assert played(machine, story) == 0


def test_a_crash_during_the_replacing_is_waited_for(machine: Main) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0, 1)
        yield 0.0
        signal.raise_signal(signal.SIGHUP)
        machine.end(0, 1)
        yield 0.0
        assert machine.slots == [0, 1]  # the pause of the crashed one comes first
        yield 0.2
        assert machine.slots == [0, 1, 0]
        machine.ready(2)
        yield 0.0
        yield 0.0
        assert machine.slots == [0, 1, 0, 0]  # it may have begun before the reload

    assert played(machine, story, slots=2) == 0


def test_who_is_no_child_of_ours_is_reaped_and_forgotten(machine: Main, caplog: pytest.LogCaptureFixture) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ended.append((77, 1))
        yield 0.0

    assert played(machine, story) == 0
    assert caplog.messages == []


def test_a_worker_that_ends_badly_while_the_server_stops_is_logged(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        signal.raise_signal(signal.SIGTERM)
        yield 0.0
        machine.end(0, -33)
        yield 0.0

    assert played(machine, story) == 0
    assert caplog.messages == ["Worker 0 (process 1000) ended with signal 33"]


def test_a_machine_that_has_no_room_for_a_process_is_asked_again_later(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0, 1)
        yield 0.0
        machine.no_more = 2
        machine.end(1, -signal.SIGKILL)
        for _ in range(12):
            yield 0.1
        assert machine.slots == [0, 1, 1]

    open_before = len(os.listdir("/proc/self/fd"))
    assert played(machine, story, slots=2) == 0
    assert caplog.messages == [
        "Worker 1 (process 1001) ended with SIGKILL after 0 s; another one starts in 0.1 s",
        "Cannot start worker 1: Resource temporarily unavailable; trying again in 0.2 s",
        "Cannot start worker 1: Resource temporarily unavailable; trying again in 0.4 s",
    ]
    machine.close()
    machine.tasks.clear()
    assert len(os.listdir("/proc/self/fd")) <= open_before + 5  # the main process's own pipes and selector


def test_a_successor_for_which_there_is_no_room_leaves_the_old_worker(
    machine: Main, caplog: pytest.LogCaptureFixture
) -> None:
    def story(machine: Main, master: Master) -> Iterator[float]:
        machine.ready(0)
        yield 0.0
        machine.no_more = 1
        signal.raise_signal(signal.SIGHUP)
        yield 0.0
        yield 60.0
        assert machine.slots == [0] and machine.sent == [] and not master.replacing

    assert played(machine, story) == 0
    assert caplog.messages == ["Cannot start the new worker 0: Resource temporarily unavailable; the old one stays"]


def test_a_forked_worker_knows_when_its_parent_has_gone_and_has_none_of_its_descriptors() -> None:
    before = {number: signal.getsignal(number) for number in masters._HANDLED}
    reading, writing = os.pipe()
    main_pid, open_before = os.getpid(), channels()

    def work(task: Task) -> int:
        facts = {
            "own group": os.getpgid(0) == os.getpid() != main_pid,
            "signals": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
            "orphaned": task.is_orphaned,
            "descriptors": channels() - open_before == {task.parent_pipe, task._ready_pipe},
        }
        task.report_ready()
        os.write(writing, json.dumps(facts).encode())
        return CANNOT_GO_ON

    made = Master(1, work, MasterLimits(10, 0))
    try:
        assert made.run() == 1
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
    os.close(writing)
    with open(reading, "rb") as facts:
        assert json.load(facts) == {"own group": True, "signals": True, "orphaned": False, "descriptors": True}
    assert list(ended_children()) == []
    task = Task(0, True, Heartbeat(), made._parent_pipe, made._loop._wakeup_end)
    assert not task.is_orphaned
    os.close(made._life)
    assert task.is_orphaned
