"""The main process of a server with several: it starts the workers, restarts, replaces and ends them.

It serves nothing itself and runs no code of the applications, and nothing that they do can take it down. It has no
threads and no event loop, because it forks.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator

from app_server.errors import AppServerError
from app_server.processes.forking.forks import describe_exit, ended_children, fork, own_signals
from app_server.processes.forking.heartbeat import Heartbeat
from app_server.processes.forking.parent_loop import ParentLoop
from app_server.processes.forking.stop_signals import Heard
from app_server.processes.forking.worker import (
    CANNOT_GO_ON,
    CANNOT_START,
    MasterLimits,
    Slot,
    Task,
    Worker,
    WorkerState,
)

log = logging.getLogger(__name__)

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_TICK_S = 0.5

_GRACE_S = 5.0
"""How much longer than its limit a worker may take to leave before it is killed."""


class Master:
    """Keeps one worker in each slot.

    `work(task)` is what a worker runs, in its own process; `reload()` is called, in this one, before all workers are
    replaced on SIGHUP, and may raise AppServerError to keep those that are there. `starts(slot)` is called, in
    this one, before a worker is forked for that slot. `tick()` is called twice a second and whenever something has
    happened, with the number of workers that are ready.
    """

    def __init__(
        self,
        slots: int,
        work: Callable[[Task], int],
        limits: MasterLimits,
        *,
        reload: Callable[[], None] = lambda: None,
        starts: Callable[[int], None] = lambda slot: None,
        tick: Callable[[int], None] = lambda ready: None,
    ) -> None:
        self._work = work
        self._limits = limits
        self._reload = reload
        self._starts = starts
        self._tick = tick
        self._slots = [Slot(number) for number in range(slots)]
        self._replacing: list[int] = []
        self._loop = ParentLoop(_HANDLED, self._handle_signal)
        self._stopping: int | None = None
        self._status = 0
        self._was_ready = self._impatient = False
        self._parent_pipe, self._life = os.pipe()

    @property
    def stopping(self) -> bool:
        """Whether the end has been asked for."""
        return self._stopping is not None

    @property
    def impatient(self) -> bool:
        """Whether the end was asked for a second time, noticeably later."""
        return self._impatient

    @property
    def replacing(self) -> bool:
        """Whether workers are being replaced."""
        return bool(self._replacing) or any(slot.is_replacing for slot in self._slots)

    def moves(self, within_s: float) -> bool:
        """Whether the loop of any worker that is ready has turned within that time."""
        return any(
            worker.state is WorkerState.READY and worker.heartbeat.age_s() < within_s for worker in self._workers()
        )

    def run(self) -> int:
        """Work until a signal ends it; the exit status of the server."""
        self._loop.handle_signals()
        for slot in self._slots:
            self._start(slot)
        self._loop.run(self._turn, _TICK_S)
        return self._status

    def _turn(self) -> bool:
        """Do what is due; whether there is more to come."""
        self._reap()
        self._start_what_is_due()
        self._replace_next()
        self._look_after()
        self._tick(sum(worker.state is WorkerState.READY for worker in self._workers()))
        return self._stopping is None or any(True for _ in self._workers())

    def _workers(self) -> Iterator[Worker]:
        for slot in self._slots:
            yield from list(slot.workers)

    def _start(self, slot: Slot) -> None:
        slot.begin_start()
        self._starts(slot.number)
        try:
            worker = self._forked(slot.number)
        except OSError as error:
            self._cannot_start(slot, error)
            return
        slot.workers.append(worker)
        self._loop.watch(worker.ready_pipe, lambda: self._read_report(worker))

    def _forked(self, number: int) -> Worker:
        """A new process for this slot. OSError if the machine has no room for one; nothing is left open then."""
        reading, writing = os.pipe()
        # A signal for the new process must not be noted by what it has of this one's handlers, and be lost with them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            heartbeat = Heartbeat()
            task = Task(number, not self._was_ready, heartbeat, self._parent_pipe, writing)
            pid = fork(lambda: self._in_worker(task, before, reading))
        except OSError:
            os.close(reading)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(writing)
        return Worker(number, pid, reading, heartbeat, time.monotonic())

    def _cannot_start(self, slot: Slot, error: OSError) -> None:
        """Try again later if no worker is in this slot; one that was to be replaced stays."""
        if slot.workers:
            log.error("Cannot start the new worker %d: %s; the old one stays", slot.number, error.strerror)
            self._replacing.clear()
            return
        pause_s = slot.pause(time.monotonic(), lived_s=0.0)
        log.error("Cannot start worker %d: %s; trying again in %g s", slot.number, error.strerror, pause_s)

    def _in_worker(self, task: Task, signals: Iterable[int], other_end: int) -> int:
        own_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        self._loop.close()
        for descriptor in (self._life, other_end, *(each.ready_pipe for each in self._workers())):
            os.close(descriptor)
        return self._work(task)

    def _read_report(self, worker: Worker) -> None:
        self._loop.ignore(worker.ready_pipe)
        if os.read(worker.ready_pipe, 1) and worker.state is WorkerState.STARTING:
            self._ready(worker)

    def _ready(self, worker: Worker) -> None:
        worker.become_ready()
        self._was_ready = True
        for predecessor in self._slots[worker.slot].workers[:-1]:
            self._let_leave(predecessor, signal.SIGTERM)

    def _handle_signal(self, number: int, heard: Heard) -> None:
        if number == signal.SIGHUP and self._stopping is None:
            self._replace_all()
        elif number in (signal.SIGTERM, signal.SIGINT) and heard is Heard.IMPATIENT:
            self._stop_at_once()
        elif number in (signal.SIGTERM, signal.SIGINT) and heard is Heard.FIRST:
            self._stop(number)
        elif number == signal.SIGINT:
            self._hurry()

    def _stop_at_once(self) -> None:
        log.warning("A second signal: stopping at once")
        self._status = 1
        self._impatient = True
        for worker in self._workers():
            _signal(worker.pid, signal.SIGKILL)

    def _hurry(self) -> None:
        """Wait for no session any more, only for hooks: SIGINT says so, however soon after SIGTERM it comes."""
        for worker in self._workers():
            self._let_leave(worker, signal.SIGINT)

    def _stop(self, number: int) -> None:
        if self._stopping is not None:
            return  # by itself, before the signal came
        self._stopping = number
        self._replacing.clear()
        for worker in self._workers():
            self._let_leave(worker, number)

    def _let_leave(self, worker: Worker, number: int) -> None:
        if worker.state is not WorkerState.LEAVING or number == signal.SIGINT:
            worker.leave(kill_at_s=time.monotonic() + self._limits.leave_s + _GRACE_S)
            _signal(worker.pid, number)

    def _replace_all(self) -> None:
        log.info("Replacing the workers one after another")
        try:
            self._reload()
        except AppServerError as error:
            log.error("Not replacing the workers: %s", error)
            return
        self._replacing = list(range(len(self._slots)))

    def _replace_next(self) -> None:
        """Start the next replacement, once the one before takes connections."""
        if not self._replacing or any(worker.state is WorkerState.STARTING for worker in self._workers()):
            return
        if self._slots[self._replacing[0]].start_at_s is None:
            self._start(self._slots[self._replacing.pop(0)])

    def _reap(self) -> None:
        """Note which workers have ended; in a container, orphans of theirs come to this process too, as its init."""
        for pid, code in ended_children():
            for worker in self._workers():
                if worker.pid == pid:
                    self._ended(worker, code)

    def _ended(self, worker: Worker, status: int) -> None:
        slot = self._slots[worker.slot]
        newest = slot.newest is worker
        slot.workers.remove(worker)
        self._loop.ignore(worker.ready_pipe)
        os.close(worker.ready_pipe)
        if self._stopping is not None:
            if status not in (0, -signal.SIGTERM, -signal.SIGINT):
                log.error("Worker %d (process %d) ended with %s", worker.slot, worker.pid, describe_exit(status))
            return
        if worker.state is WorkerState.LEAVING:
            log.info("Worker %d (process %d) has left", worker.slot, worker.pid)
        elif status == CANNOT_START and not self._was_ready:
            self._status = 1
            self._stop(signal.SIGINT)
        elif status == CANNOT_GO_ON:
            self._status = 1
            self._stop(signal.SIGTERM)
        elif newest and not slot.workers:
            self._start_again(worker, status)
        elif newest:
            log.error("The new worker %d ended with %s; the old one stays", worker.slot, describe_exit(status))
            self._replacing.clear()

    def _start_again(self, worker: Worker, status: int) -> None:
        slot = self._slots[worker.slot]
        lived_s = time.monotonic() - worker.started_s
        pause_s = slot.pause(time.monotonic(), lived_s)
        log.error(
            "Worker %d (process %d) ended with %s after %.0f s; another one starts in %g s",
            worker.slot, worker.pid, describe_exit(status), lived_s, pause_s,
        )  # fmt: skip

    def _start_what_is_due(self) -> None:
        now_s = time.monotonic()
        for slot in self._slots:
            if self._stopping is None and slot.is_due(now_s):
                self._start(slot)

    def _look_after(self) -> None:
        """Kill workers that do not leave, and end those that hang."""
        now_s = time.monotonic()
        for worker in self._workers():
            if worker.must_be_killed(now_s):
                log.error("Worker %d (process %d) did not leave in time; killing it", worker.slot, worker.pid)
                _signal(worker.pid, signal.SIGKILL)
            elif fault := worker.fault(self._limits, now_s):
                self._end_hung(worker, fault)

    def _end_hung(self, worker: Worker, fault: str) -> None:
        """Have it write its stack (faulthandler) first, and kill it at the next look."""
        if not worker.report_hung():
            _signal(worker.pid, signal.SIGKILL)
            return
        log.error("Worker %d (process %d) %s; ending it. Its stack:", worker.slot, worker.pid, fault)
        _signal(worker.pid, signal.SIGUSR1)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
