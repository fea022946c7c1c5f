"""Signals that ask a process to stop: the first one, those that only repeat it, and those of an impatient user.

`timeout` signals its child and then its child's process group, a terminal signals the whole group while a wrapper
passes the signal on, and systemd's KillMode=control-group reaches every process itself: one request to stop often
arrives as several signals within milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

REPEAT_S = 1.0
"""Signals this close to the first belong to the same request. A user who wants to hurry presses Ctrl-C again later."""


class Heard(Enum):
    """What a signal means after those before it."""

    FIRST = "first"
    REPEAT = "repeat"
    IMPATIENT = "impatient"


class StopSignals:
    """Tells the stop signals of one process, of any kind and order, apart by when they arrive."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_s: float | None = None

    def hear(self) -> Heard:
        """What the signal that has just arrived means. Call it in the signal handler: what runs later may be late."""
        now_s = self._clock()
        if self._first_s is None:
            self._first_s = now_s
            return Heard.FIRST
        return Heard.REPEAT if now_s - self._first_s < REPEAT_S else Heard.IMPATIENT
