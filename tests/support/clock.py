"""A loop whose time passes only while nothing is left to do: seconds of timers are tested in milliseconds, exactly."""

from __future__ import annotations

import asyncio
import selectors
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Skipping(selectors.SelectSelector):
    """Moves the clock on instead of waiting."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """Runs timers in their order and at their time, which begins at zero."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)
        self._clock_resolution = 1e-9  # type: ignore[misc]  # a timer is due when it is due, not a nanosecond sooner

    def time(self) -> float:
        return self._skipping.now_s

    def run_for(self, duration_s: float) -> None:
        """Run all that is due within so many seconds."""
        self.run_until_complete(asyncio.sleep(duration_s))

    def pass_time(self, duration_s: float) -> None:
        """Let time pass while a callback keeps the loop busy."""
        self._skipping.now_s += duration_s


@contextmanager
def skipping_loop() -> Iterator[SkippingLoop]:
    """A loop of its own, closed at the end."""
    loop = SkippingLoop()
    try:
        yield loop
    finally:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(_ended(pending))
        loop.close()


async def _ended(tasks: Any) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def free_alarm() -> Iterator[None]:
    """A block in which the alarm is free, which the runner uses to end tests that hang."""
    handler, (due_s, again_s) = signal.signal(signal.SIGALRM, signal.SIG_DFL), signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, due_s, again_s)
