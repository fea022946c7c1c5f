"""The CPU priorities of sessions' processes: one that computes for long gets a lower one when the machine is busy."""

from __future__ import annotations

import os

# Until then, a process that wakes up on the same core may wait for the end of a time slice, some milliseconds.
_LOW_AFTER_S = 0.25
# The same where a session would keep the low priority, because the server's user may not raise it again.
_LOW_FOR_GOOD_AFTER_S = 1.0
_LOWER_BY = 10
"""Gives a tenth of the processor time that the others get when the machine is busy, and no wait (sched(7))."""


class Priorities:
    """Gives processes a low priority, or this process's own."""

    def __init__(self) -> None:
        self._normal = os.getpriority(os.PRIO_PROCESS, 0)
        self._low_after_s = _LOW_AFTER_S

    def is_long(self, busy_s: float) -> bool:
        """Whether a process that is busy for so long is to have the low priority."""
        return busy_s > self._low_after_s

    def give(self, pid: int, *, low: bool) -> None:
        """Give a process the low priority, or the normal one; nothing if it has just ended."""
        try:
            os.setpriority(os.PRIO_PROCESS, pid, min(self._normal + _LOWER_BY, 19) if low else self._normal)
        except PermissionError:  # without CAP_SYS_NICE, a priority can be raised only as far as RLIMIT_NICE allows
            self._low_after_s = _LOW_FOR_GOOD_AFTER_S
        except ProcessLookupError:
            pass
