"""Since when a process is busy: a number that it writes to shared memory, so that another one can read it any time.

The reader needs no answer from the process, which may be in a loop without end, or in code that is not Python's.
"""

from __future__ import annotations

import mmap
import selectors
import struct
import time
from collections.abc import Callable
from typing import Any

_MARK = struct.Struct("d")
_IDLE = 0.0


class Mark:
    """The place of one process in the shared memory."""

    __slots__ = ("_memory", "_offset", "number")

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        self._memory = memory
        self._offset = number * _MARK.size
        self.number = number

    def busy(self) -> None:
        """From now on, the process works."""
        _MARK.pack_into(self._memory, self._offset, time.monotonic())

    def idle(self) -> None:
        """The process waits."""
        _MARK.pack_into(self._memory, self._offset, _IDLE)

    @property
    def since_s(self) -> float | None:
        """When its work began, by the monotonic clock; None while it waits."""
        began_s: float = _MARK.unpack_from(self._memory, self._offset)[0]
        return began_s or None


class Marks:
    """Memory for the marks of so many processes, to be made before they are forked."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * _MARK.size)
        self._free = list(range(count))

    def take(self) -> Mark | None:
        """A mark that nobody has; None where all are taken."""
        if not self._free:
            return None
        mark = Mark(self._memory, self._free.pop())
        mark.idle()
        return mark

    def give_back(self, mark: Mark) -> None:
        """Let another process have this mark."""
        self._free.append(mark.number)


class MarkedSelector(selectors.DefaultSelector):
    """The selector of an event loop that is idle while it waits for events, and busy from then until it waits again."""

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
