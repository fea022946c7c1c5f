"""The main process of a server with several: it starts the workers, starts them again, replaces and ends them.

    STARTING -> READY -> LEAVING -> gone          (a worker that is replaced, or all of them at the end)
        |         |
        +---------+-> gone, and started again after a pause that grows while it keeps happening

It serves nothing itself and runs no code of the applications, so that nothing that they do can take it along. It has
no threads and no event loop, because it forks.
"""

from __future__ import annotations

import logging
import mmap
import os
import select
import selectors
import signal
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import FrameType

from app_server.errors import AppServerError
from app_server.processes.forking.forks import ended_children, fork, own_signals
from app_server.processes.forking.stop_signals import Heard, StopSignals

log = logging.getLogger(__name__)

CANNOT_START = 3
"""The status of a worker that has found what starting it again would not mend."""

CANNOT_GO_ON = 4
"""The status of a worker that has found what only a new start of the whole server would mend."""

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_BEAT = struct.Struct("d")
_TICK_S = 0.5
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
_HEALTHY_AFTER_S = 60.0
"""A worker that has lived for so long has started well: when it ends now, the next pause is the shortest again."""

_GRACE_S = 5.0
"""How much longer than it is allowed to a worker may take to end before it is killed."""


class WorkerState(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


class Heartbeat:
    """A number in shared memory that a worker's loop keeps fresh, so that others see when it no longer turns."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.beat()

    def beat(self) -> None:
        """Note that the loop turns."""
        _BEAT.pack_into(self._memory, 0, time.monotonic())

    def age_s(self) -> float:
        """How long ago the loop last turned, in seconds."""
        beaten_s: float = _BEAT.unpack_from(self._memory, 0)[0]
        return time.monotonic() - beaten_s


@dataclass(eq=False, slots=True)
class Worker:
    """One forked process."""

    slot: int
    pid: int
    ready_pipe: int
    heartbeat: Heartbeat
    started_s: float
    state: WorkerState = WorkerState.STARTING
    kill_at_s: float | None = None
    reported_hung: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker gets to know: its slot, how it reports, and a descriptor that ends when its parent does."""

    slot: int
    first: bool
    heartbeat: Heartbeat
    parent_pipe: int
    _ready_pipe: int

    @property
    def is_orphaned(self) -> bool:
        """Whether the main process has ended."""
        poll = select.poll()
        poll.register(self.parent_pipe, 0)
        return bool(poll.poll(0))

    def report_ready(self) -> None:
        """Tell the parent that connections are taken now."""
        os.write(self._ready_pipe, b"+")


@dataclass(frozen=True, slots=True)
class MasterLimits:
    """How long a worker may take to leave, stand still, and start; 0 is for ever, except to leave. In seconds."""

    leave_s: float
    hang_s: float
    start_s: float = 0.0


@dataclass(slots=True)
class _Slot:
    failures: int = 0
    start_at_s: float | None = None
    workers: list[Worker] = field(default_factory=list)

    @property
    def newest(self) -> Worker | None:
        return self.workers[-1] if self.workers else None


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
        self._slots = [_Slot() for _ in range(slots)]
        self._replacing: list[int] = []
        self._signals: list[tuple[int, Heard]] = []
        self._stop_signals = StopSignals()
        self._stopping: int | None = None
        self._status = 0
        self._was_ready = self._impatient = False
        self._selector = selectors.DefaultSelector()
        self._parent_pipe, self._life = os.pipe()
        self._wakeup, self._wakeup_end = os.pipe()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

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
        return bool(self._replacing) or any(
            len(slot.workers) > 1 and slot.workers[-1].state is WorkerState.STARTING for slot in self._slots
        )

    def moves(self, within_s: float) -> bool:
        """Whether the loop of any worker that is ready has turned within that time."""
        return any(
            worker.state is WorkerState.READY and worker.heartbeat.age_s() < within_s for worker in self._workers()
        )

    def run(self) -> int:
        """Work until a signal ends it; the exit status of the server."""
        for number in _HANDLED:
            signal.signal(number, self._note_signal)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        for slot in range(len(self._slots)):
            self._start(slot)
        while self._stopping is None or any(True for _ in self._workers()):
            for key, _ in self._selector.select(_TICK_S):
                self._drain_pipe(key.fd)
            self._handle_signals()
            self._reap()
            self._start_what_is_due()
            self._replace_next()
            self._look_after()
            self._tick(sum(worker.state is WorkerState.READY for worker in self._workers()))
        return self._status

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        asks_to_stop = number in (signal.SIGTERM, signal.SIGINT)
        self._signals.append((number, self._stop_signals.hear() if asks_to_stop else Heard.FIRST))

    def _workers(self) -> Iterator[Worker]:
        for slot in self._slots:
            yield from list(slot.workers)

    def _start(self, number: int) -> None:
        slot = self._slots[number]
        slot.start_at_s = None
        self._starts(number)
        try:
            worker = self._forked(number)
        except OSError as error:
            self._cannot_start(number, error)
            return
        slot.workers.append(worker)
        self._selector.register(worker.ready_pipe, selectors.EVENT_READ)

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

    def _cannot_start(self, number: int, error: OSError) -> None:
        """Try again later if nothing works in this slot; a worker that was to be replaced stays."""
        slot = self._slots[number]
        if slot.workers:
            log.error("The new worker %d cannot be started: %s; the old one goes on", number, error.strerror)
            self._replacing.clear()
            return
        pause_s = self._pause_before_next(slot, 0.0)
        log.error("Worker %d cannot be started: %s; trying again in %g s", number, error.strerror, pause_s)

    def _in_worker(self, task: Task, signals: Iterable[int], other_end: int) -> int:
        own_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        os.close(self._life)
        self._selector.close()
        for descriptor in (self._wakeup, self._wakeup_end, other_end, *(each.ready_pipe for each in self._workers())):
            os.close(descriptor)
        return self._work(task)

    def _drain_pipe(self, descriptor: int) -> None:
        data = os.read(descriptor, 4096)
        if descriptor == self._wakeup:
            return
        worker = next(worker for worker in self._workers() if worker.ready_pipe == descriptor)
        self._selector.unregister(descriptor)
        if data and worker.state is WorkerState.STARTING:
            self._ready(worker)

    def _ready(self, worker: Worker) -> None:
        worker.state = WorkerState.READY
        worker.heartbeat.beat()
        self._was_ready = True
        for predecessor in self._slots[worker.slot].workers[:-1]:
            self._let_leave(predecessor, signal.SIGTERM)

    def _handle_signals(self) -> None:
        while self._signals:
            number, heard = self._signals.pop(0)
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
            worker.state = WorkerState.LEAVING
            worker.kill_at_s = time.monotonic() + self._limits.leave_s + _GRACE_S
            _signal(worker.pid, number)

    def _replace_all(self) -> None:
        log.info("Replacing the workers one after another")
        try:
            self._reload()
        except AppServerError as error:
            log.error("The workers stay as they are: %s", error)
            return
        self._replacing = list(range(len(self._slots)))

    def _replace_next(self) -> None:
        """Start the next replacement, once the one before takes connections."""
        if not self._replacing or any(worker.state is WorkerState.STARTING for worker in self._workers()):
            return
        if self._slots[self._replacing[0]].start_at_s is None:
            self._start(self._replacing.pop(0))

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
        if worker.ready_pipe in self._selector.get_map():
            self._selector.unregister(worker.ready_pipe)
        os.close(worker.ready_pipe)
        if self._stopping is not None:
            if status not in (0, -signal.SIGTERM, -signal.SIGINT):
                log.error("Worker %d (process %d) ended with %s", worker.slot, worker.pid, _told(status))
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
            log.error("The new worker %d ended with %s; the old one goes on", worker.slot, _told(status))
            self._replacing.clear()

    def _start_again(self, worker: Worker, status: int) -> None:
        slot = self._slots[worker.slot]
        lived_s = time.monotonic() - worker.started_s
        pause_s = self._pause_before_next(slot, lived_s)
        log.error(
            "Worker %d (process %d) ended with %s after %.0f s; another one starts in %g s",
            worker.slot, worker.pid, _told(status), lived_s, pause_s,
        )  # fmt: skip

    def _pause_before_next(self, slot: _Slot, lived_s: float) -> float:
        """Have the slot's next worker start after a pause, in seconds, which grows with each early end."""
        slot.failures = 1 if lived_s > _HEALTHY_AFTER_S else slot.failures + 1
        pause_s: float = min(_SHORTEST_PAUSE_S * 2 ** (slot.failures - 1), _LONGEST_PAUSE_S)
        slot.start_at_s = time.monotonic() + pause_s
        return pause_s

    def _start_what_is_due(self) -> None:
        now_s = time.monotonic()
        for number, slot in enumerate(self._slots):
            if self._stopping is None and slot.start_at_s is not None and now_s >= slot.start_at_s:
                self._start(number)

    def _look_after(self) -> None:
        """Kill what does not leave, and what does not move any more, where that is wished for."""
        now_s = time.monotonic()
        for worker in self._workers():
            if worker.kill_at_s is not None and now_s > worker.kill_at_s:
                log.error("Worker %d (process %d) did not leave in time; killing it", worker.slot, worker.pid)
                _signal(worker.pid, signal.SIGKILL)
                worker.kill_at_s = None
            elif worker.state is WorkerState.READY and 0 < self._limits.hang_s < worker.heartbeat.age_s():
                self._end_hung(worker, f"has not moved for {worker.heartbeat.age_s():.0f} s")
            elif worker.state is WorkerState.STARTING and 0 < self._limits.start_s < now_s - worker.started_s:
                self._end_hung(worker, f"has not come to serving within {now_s - worker.started_s:.0f} s")

    def _end_hung(self, worker: Worker, what: str) -> None:
        if worker.reported_hung:
            _signal(worker.pid, signal.SIGKILL)
            return
        log.error("Worker %d (process %d) %s; ending it. It was here:", worker.slot, worker.pid, what)
        worker.reported_hung = True
        _signal(worker.pid, signal.SIGUSR1)  # it tells where it is (faulthandler), and is killed at the next look


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _told(status: int) -> str:
    """An exit code as a person reads it."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
