"""A worker of the main process, and the slot that it is in.

STARTING -> READY -> LEAVING -> gone          (a worker that is replaced, or all of them at the end)
    |         |
    +---------+-> gone, and started again after a pause that grows while it keeps happening
"""

from __future__ import annotations

import os
import select
from dataclasses import dataclass, field
from enum import Enum

from app_server.processes.forking.heartbeat import Heartbeat

CANNOT_START = 3
"""The exit status of a worker that would fail again if it was restarted."""

CANNOT_GO_ON = 4
"""The exit status of a worker with a fault that only a restart of the whole server can mend."""

_MIN_PAUSE_S = 0.1
_MAX_PAUSE_S = 30.0
_HEALTHY_AFTER_S = 60.0
"""A worker that has lived for this long has started well: when it ends, the next pause is the shortest again."""


class WorkerState(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class MasterLimits:
    """How long a worker may take to leave, stand still, and start, in seconds; 0 means no limit, except for leaving."""

    leave_s: float
    hang_s: float
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is given: its slot, how it reports, and a descriptor that ends when its parent does."""

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
        """Report to the parent that this worker takes connections now."""
        os.write(self._ready_pipe, b"+")


@dataclass(eq=False, slots=True)
class Worker:
    """One forked process; times are monotonic, in seconds."""

    slot: int
    pid: int
    ready_pipe: int
    heartbeat: Heartbeat
    started_s: float
    state: WorkerState = WorkerState.STARTING
    kill_at_s: float | None = None
    reported_hung: bool = False

    def become_ready(self) -> None:
        """Note that it takes connections now."""
        self.state = WorkerState.READY
        self.heartbeat.beat()

    def leave(self, kill_at_s: float) -> None:
        """Note that it was asked to leave, and when it is killed if it has not."""
        self.state, self.kill_at_s = WorkerState.LEAVING, kill_at_s

    def must_be_killed(self, now_s: float) -> bool:
        """Whether it has not left in time; this is true once."""
        late = self.kill_at_s is not None and now_s > self.kill_at_s
        if late:
            self.kill_at_s = None
        return late

    def fault(self, limits: MasterLimits, now_s: float) -> str | None:
        """What is wrong with a worker that hangs; None if it does not."""
        if self.state is WorkerState.READY and 0 < limits.hang_s < self.heartbeat.age_s():
            return f"has not moved for {self.heartbeat.age_s():.0f} s"
        if self.state is WorkerState.STARTING and 0 < limits.start_s < now_s - self.started_s:
            return f"has not come to serving within {now_s - self.started_s:.0f} s"
        return None

    def report_hung(self) -> bool:
        """Whether this is the first time that it is found to hang."""
        first, self.reported_hung = not self.reported_hung, True
        return first


@dataclass(slots=True)
class Slot:
    """A place for one worker, or for two while one replaces the other; the newest is the last."""

    number: int
    workers: list[Worker] = field(default_factory=list)
    failures: int = 0
    start_at_s: float | None = None

    @property
    def newest(self) -> Worker | None:
        """The worker that was started last; None if there is none."""
        return self.workers[-1] if self.workers else None

    @property
    def is_replacing(self) -> bool:
        """Whether a worker is starting here to replace another."""
        return len(self.workers) > 1 and self.workers[-1].state is WorkerState.STARTING

    def is_due(self, now_s: float) -> bool:
        """Whether the pause before its next worker is over."""
        return self.start_at_s is not None and now_s >= self.start_at_s

    def begin_start(self) -> None:
        """Note that a worker is being started."""
        self.start_at_s = None

    def pause(self, now_s: float, lived_s: float) -> float:
        """Have the next worker start after a pause, in seconds, which grows with each early end."""
        self.failures = 1 if lived_s > _HEALTHY_AFTER_S else self.failures + 1
        pause_s: float = min(_MIN_PAUSE_S * 2 ** (self.failures - 1), _MAX_PAUSE_S)
        self.start_at_s = now_s + pause_s
        return pause_s
