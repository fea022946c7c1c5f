"""An event loop whose clock stands still until it is moved on.

All timers of the loop follow that clock: those of sessions, `asyncio.sleep`, timeouts, and Tornado's. Connections,
threads and executors are as quick as they are.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tornado.platform.asyncio import AsyncIOMainLoop


def elapsed_s() -> float:
    """A clock in seconds that goes on even in tests that replace Python's clocks."""
    return time.clock_gettime(_MONOTONIC) if _MONOTONIC is not None else time.monotonic()


_MONOTONIC: int | None = getattr(time, "CLOCK_MONOTONIC", None)
"""Windows has none."""

_GRACE_ROUNDS = 100


class Deadline:
    """When an action is to be over. A callback that takes longer, as in a debugger, may have its consequences."""

    def __init__(self, timeout_s: float) -> None:
        self._ends_s = elapsed_s() + timeout_s
        self._rounds = 0

    def has_passed(self, *, busy: bool) -> bool:
        """Whether it is over now; if there is something to call, some more rounds are granted."""
        if elapsed_s() <= self._ends_s:
            return False
        self._rounds += 1
        return not busy or self._rounds > _GRACE_ROUNDS


class _Selector(selectors.DefaultSelector):
    """Waits for what the loop says, and not until the next timer is due."""

    wait_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(self.wait_s)

    @contextmanager
    def waiting(self, wait_s: float) -> Iterator[None]:
        """A block in which it waits for at most so many seconds."""
        self.wait_s = wait_s
        try:
            yield
        finally:
            self.wait_s = 0.0


class ClockedLoop(asyncio.SelectorEventLoop):
    """Runs one round at a time, when it is asked to, also beside a loop that is running in this thread."""

    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        self._pause = _Selector()
        self._now_s = 0.0
        self._begun_s = time.time()
        super().__init__(self._pause)
        # A timer is due when it is due, and not a nanosecond sooner.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """The seconds that have passed on the loop's clock."""
        return self._now_s

    def wall_time(self) -> float:
        """Seconds since the epoch, as they are by the loop's clock."""
        return self._begun_s + self._now_s

    def move_clock(self, to_s: float) -> None:
        """Let it be this time, if it is not later already; what is due then runs in the next rounds."""
        self._now_s = max(self._now_s, to_s)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing left to call now."""
        if self._ready:
            return False
        due_s = self.next_due_s()
        return due_s is None or due_s > self._now_s

    @property
    def has_connections(self) -> bool:
        """Whether something may come by a connection: the loop has one of its own, by which threads wake it."""
        return len(self._pause.get_map() or ()) > 1

    def next_due_s(self) -> float | None:
        """When the next timer is due; None if there is none."""
        return min((handle.when() for handle in self._scheduled if not handle.cancelled()), default=None)

    def go_round(self, wait_s: float = 0.0) -> None:
        """Call what can be called now; if that is nothing, wait so long for a connection or a thread."""
        with self._pause.waiting(wait_s if self.is_idle else 0.0), _beside_the_running_loop():
            self.stop()
            self.run_forever()


@contextmanager
def _beside_the_running_loop() -> Iterator[None]:
    """A block in which another loop may run in this thread, whose own loop and task wait meanwhile."""
    outer = asyncio._get_running_loop()
    task = None if outer is None else asyncio.current_task(outer)
    if outer is not None and task is not None:
        asyncio.tasks._leave_task(outer, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)
        if outer is not None and task is not None:
            asyncio.tasks._enter_task(outer, task)


class ClockedIOLoop(AsyncIOMainLoop):
    """What Tornado's `IOLoop.current()` is in the loop: its `time()` goes with the loop's clock."""

    def time(self) -> float:
        """Seconds since the epoch, as they are by the loop's clock."""
        loop = self.asyncio_loop
        return loop.wall_time() if isinstance(loop, ClockedLoop) else time.time()
