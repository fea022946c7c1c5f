"""Notices from another thread that an event loop is blocked, and by what.

The loop says each time it runs when it is due next. A thread checks that. If the loop is overdue by the limit, the
stack of its thread is taken, once for each block. The loop itself reports the end of a block, because it knows how late
it is.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

_DEEPEST = 60
"""How many of the innermost calls are reported: enough for a library that a callback calls, without an endless log."""


@dataclass(frozen=True, slots=True)
class Block:
    """The loop is overdue by `overdue_s`; `stack` is what its thread does, the innermost call last."""

    overdue_s: float
    frame: FrameType
    stack: str


class Watchdog:
    """Calls `report` in a thread of its own when the loop is overdue by the limit, once for each block."""

    def __init__(
        self,
        limit_s: float,
        report: Callable[[Block], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s = limit_s
        self._report = report
        self._clock = clock
        self._due_s = clock()
        self._reported_s: float | None = None
        self._not_before_s = self._due_s
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Watch the loop of the calling thread."""
        self._watched = threading.get_ident()
        self._due_s = self._clock()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def expect(self, due_s: float) -> None:
        """Record that the loop has run, and is due again at this time."""
        self._due_s = due_s

    @property
    def reported(self) -> bool:
        """Whether a block was reported since the loop was due."""
        return self._reported_s == self._due_s

    def _watch(self) -> None:
        while True:
            slept_until_s = self._clock() + self._patience_s()
            if self._stopped.wait(slept_until_s - self._clock()):
                return
            if self._clock() - slept_until_s > self._limit_s / 2:
                # This thread did not run either: the process was stopped, not the loop blocked. Let the loop run
                # first.
                self._not_before_s = self._clock() + self._limit_s / 2
            else:
                self.look()

    def _patience_s(self) -> float:
        """How long there cannot be anything to report."""
        if self.reported:
            return min(self._limit_s, 1.0)
        return max(max(self._due_s + self._limit_s, self._not_before_s) - self._clock(), 0.01)

    def look(self) -> None:
        """Report if the loop is overdue by the limit, unless this block was reported before."""
        due_s = self._due_s
        overdue_s = self._clock() - due_s
        if overdue_s < self._limit_s or self.reported:
            return
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return  # the thread has ended
        self._reported_s = due_s
        self._report(Block(overdue_s, frame, "".join(traceback.format_stack(frame)[-_DEEPEST:])))
