"""Whether the loop of another process still turns."""

from __future__ import annotations

import mmap
import struct
import time

_BEAT = struct.Struct("d")


class Heartbeat:
    """The time, in memory shared with forked processes, at which a worker's loop last turned."""

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
