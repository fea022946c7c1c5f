"""The CPU priorities of sessions' processes: one that computes for long gets a lower one when the machine is busy.

It gets the scheduling policy SCHED_IDLE, with all its threads and the processes that it has started: whatever else
wakes up on their cores runs at once (sched(7)). Nice values that an application has chosen stay as they are.

A server whose user may not raise priorities again (RLIMIT_NICE, CAP_SYS_NICE) could not take that back. There, such a
process gets a higher nice value, later, and keeps it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

log = logging.getLogger(__name__)

_LOW_AFTER_S = 0.25
"""Until then, a process that wakes up on the same core may wait for the end of a time slice, some milliseconds."""

_LOWER_BY = 10
"""Gives a tenth of the processor time that the others get when the machine is busy (sched(7))."""

_HIGHEST_NICE = 19

_KEPT = (
    "A session that computes for long keeps a lower CPU priority, because the server's user may not raise it again. "
    "LimitNICE=+0 in a systemd unit, or `ulimit -e 20`, allows it"
)


class Way(Protocol):
    """How a process gets the low priority, after how many busy seconds, and the normal one again.

    Both raise PermissionError if the system refuses it, and ProcessLookupError if the process has just ended.
    """

    after_s: ClassVar[float]

    def lower(self, pid: int) -> None: ...

    def restore(self, pid: int) -> None: ...


class ByPolicy:
    """SCHED_IDLE, for a process, its threads, and what it has started."""

    after_s: ClassVar[float] = _LOW_AFTER_S

    def lower(self, pid: int) -> None:
        _change_policy(pid, os.SCHED_OTHER, os.SCHED_IDLE)

    def restore(self, pid: int) -> None:
        _change_policy(pid, os.SCHED_IDLE, os.SCHED_OTHER)


@dataclass(frozen=True)
class ByNice:
    """A nice value above `normal`, for a process's main thread."""

    after_s: ClassVar[float] = _LOW_AFTER_S
    normal: int

    def lower(self, pid: int) -> None:
        os.setpriority(os.PRIO_PROCESS, pid, min(self.normal + _LOWER_BY, _HIGHEST_NICE))

    def restore(self, pid: int) -> None:
        os.setpriority(os.PRIO_PROCESS, pid, self.normal)


class ByNiceForGood(ByNice):
    """The same if the system does not let it be taken back: only for what computes for really long."""

    after_s: ClassVar[float] = 1.0

    def restore(self, pid: int) -> None:
        """Leave it as it is."""


class Priorities:
    """Gives processes a low priority, or this process's own; the first that gets a low one shows what is allowed."""

    def __init__(self) -> None:
        self._by_nice = ByNice(os.getpriority(os.PRIO_PROCESS, 0))
        self._way: Way | None = None

    def is_long(self, busy_s: float) -> bool:
        """Whether a process that is busy for so long is to have the low priority."""
        return busy_s > (_LOW_AFTER_S if self._way is None else self._way.after_s)

    def give(self, pid: int, *, low: bool) -> None:
        """Give a process the low priority, or the normal one; nothing if it has just ended."""
        with suppress(ProcessLookupError, PermissionError):
            if not low:
                (self._way or ByPolicy()).restore(pid)  # a predecessor may have lowered it
                return
            if self._way is None:
                self._way = self._first(pid)
            self._way.lower(pid)

    def _first(self, pid: int) -> Way:
        """The best way that the system allows, tried with this process."""
        self._by_nice.lower(pid)
        try:
            self._by_nice.restore(pid)
        except PermissionError:
            log.info("%s", _KEPT)
            return ByNiceForGood(self._by_nice.normal)
        if os.sched_getscheduler(0) != os.SCHED_OTHER or self._by_nice.normal == _HIGHEST_NICE:
            return self._by_nice  # an operator has chosen how this server is scheduled
        try:
            ByPolicy().lower(pid)
        except PermissionError:
            log.info("A session that computes for long gets a higher nice value: the system refuses SCHED_IDLE")
            return self._by_nice
        return ByPolicy()


def _change_policy(pid: int, old: int, new: int) -> None:
    """Give this policy to the threads of a process, and of those that it has started, that have the old one."""
    if os.sched_getscheduler(pid) == old:  # its errors count; those of the others may mean that they have just ended
        os.sched_setscheduler(pid, new, os.sched_param(0))
    for thread in _threads(pid):
        with suppress(OSError):
            if os.sched_getscheduler(thread) == old:
                os.sched_setscheduler(thread, new, os.sched_param(0))


def _threads(pid: int) -> Iterator[int]:
    """The threads of a process and of all that it has started, directly or not; none if it has ended."""
    for name in _listed(pid):
        yield int(name)
        for child in _started_by(Path(f"/proc/{pid}/task/{name}/children")):
            yield from _threads(child)


def _listed(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _started_by(children: Path) -> list[int]:
    try:
        return [int(child) for child in children.read_text().split()]
    except OSError:  # the thread has ended, or this kernel lists no children
        return []
