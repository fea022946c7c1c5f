"""Shared memory in which sessions' processes note who they are, and since when they are busy.

A reader needs no answer from the process, which may be in an endless loop, or in code that is not Python. The server's
main process creates the memory, which outlives a fork server: the next one finds in it the sessions that still live
(see `proc.ProcessProcessIdentity`).

    header = process id and start time of the fork server that hands out records, how many it has ever handed out
    record = process id, start time (both 0: free), busy since (0: idle), name of its socket, name for the log
"""

from __future__ import annotations

import mmap
import selectors
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app_server.processes.forking.proc import ProcessIdentity

_HEADER = struct.Struct("qqq")
_SINCE = struct.Struct("d")
_RECORD = struct.Struct("qqd24s80s")
_IDENTITY = struct.Struct("qq")
_SINCE_AT = _IDENTITY.size
_IDLE = 0.0
_NAME_BYTES = 80


@dataclass(frozen=True, slots=True)
class BusyEntry:
    """A record: the process, the name of its session's socket, and its name in the log."""

    identity: ProcessIdentity
    socket_path: str
    name: str


class Mark:
    """One process's record in the shared memory."""

    __slots__ = ("_memory", "_offset", "number")

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        self._memory = memory
        self._offset = _HEADER.size + number * _RECORD.size
        self.number = number

    def busy(self) -> None:
        """Note that the process is busy from now on."""
        _SINCE.pack_into(self._memory, self._offset + _SINCE_AT, time.monotonic())

    def idle(self) -> None:
        """Note that the process waits."""
        _SINCE.pack_into(self._memory, self._offset + _SINCE_AT, _IDLE)

    @property
    def since_s(self) -> float | None:
        """When its work began, by the monotonic clock; None while it waits."""
        began_s: float = _SINCE.unpack_from(self._memory, self._offset + _SINCE_AT)[0]
        return began_s or None

    def sign(self, entry: BusyEntry) -> None:
        """Write down which process has this mark."""
        name = entry.name.encode()[:_NAME_BYTES]
        since_s = self.since_s or _IDLE
        values = entry.identity.pid, entry.identity.started, since_s, entry.socket_path.encode(), name
        _RECORD.pack_into(self._memory, self._offset, *values)

    def resign(self) -> None:
        """Note that the process is about to end, and its session may get another one."""
        entry = self.entry
        if entry is not None:
            self.sign(replace(entry, socket_path=""))

    def clear(self) -> None:
        """Let this mark belong to no process."""
        _RECORD.pack_into(self._memory, self._offset, 0, 0, _IDLE, b"", b"")

    @property
    def entry(self) -> BusyEntry | None:
        """The process that has this mark; None if it is free."""
        pid, started, _, socket_path, name = _RECORD.unpack_from(self._memory, self._offset)
        if not pid:
            return None
        identity = ProcessIdentity(pid, started)
        return BusyEntry(identity, socket_path.rstrip(b"\0").decode(), name.rstrip(b"\0").decode(errors="ignore"))


class BusyTable:
    """Memory for the marks of `count` processes, created before they are forked; one process hands them out."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, _HEADER.size + count * _RECORD.size)
        self._free = list(range(count - 1, -1, -1))

    def take(self) -> Mark | None:
        """A free mark; None if all are taken."""
        if not self._free:
            return None
        mark = Mark(self._memory, self._free.pop())
        mark.clear()
        pid, started, used = _HEADER.unpack_from(self._memory)
        _HEADER.pack_into(self._memory, 0, pid, started, max(used, mark.number + 1))
        return mark

    def give_back(self, mark: Mark) -> None:
        """Let another process have this mark."""
        mark.clear()
        self._free.append(mark.number)

    def own(self) -> None:
        """Let this process hand out the marks from now on, and look after the processes that have them."""
        identity, used = ProcessIdentity.own(), _HEADER.unpack_from(self._memory)[2]
        _HEADER.pack_into(self._memory, 0, identity.pid, identity.started, used)

    @property
    def orphaned(self) -> bool:
        """Whether the process that handed out these marks has ended."""
        pid, started, _ = _HEADER.unpack_from(self._memory)
        return bool(pid) and not ProcessIdentity(pid, started).lives

    @property
    def done(self) -> bool:
        """Whether the process that handed out these marks has ended, and all that had one too."""
        return self.orphaned and not any(mark.entry is not None and mark.entry.identity.lives for mark in self.signed())

    def signed(self) -> list[Mark]:
        """The marks that were signed, also by processes that have ended."""
        used = _HEADER.unpack_from(self._memory)[2]
        marks = (Mark(self._memory, number) for number in range(used))
        return [mark for mark in marks if mark.entry is not None]


class TimedSelector(selectors.DefaultSelector):
    """The selector of an event loop; it notes that the loop is idle while it waits for events, and busy otherwise."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self._busy: Callable[[], None] = mark.busy
        self._idle: Callable[[], None] = mark.idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        """As of any selector."""
        self._idle()
        try:
            return super().select(timeout)
        finally:
            self._busy()
