"""Measures how late a loop comes round, and reports what has blocked it when that is too late."""

from __future__ import annotations

import asyncio
import logging
import time

from app_server.engine.running import Running
from app_server.observe.gauges import LoopGauges
from app_server.observe.recent import RecentStalls
from app_server.observe.watchdog import Block, Watchdog

log = logging.getLogger(__name__)

_BEAT_S = 0.5
"""Often enough to distinguish half a second from ten, and seldom enough to cost nothing."""


class LoopMonitor:
    """Measures the lag of the loop that it runs in; a watchdog looks at the loop from another thread."""

    def __init__(
        self, gauges: LoopGauges, running: Running, limit_s: float, recent: RecentStalls | None = None
    ) -> None:
        self._running = running
        self._gauges = gauges
        self.recent = RecentStalls() if recent is None else recent
        self._limit_s = limit_s
        self._beat_s = min(_BEAT_S, limit_s / 4) if limit_s else _BEAT_S
        self._watchdog = Watchdog(limit_s, self._blocked) if limit_s else None

    async def run(self) -> None:
        """Measure until cancelled."""
        if self._watchdog is not None:
            self._watchdog.start()
        try:
            while True:
                due_s = time.monotonic() + self._beat_s
                if self._watchdog is not None:
                    self._watchdog.expect(due_s)
                await asyncio.sleep(self._beat_s)
                now_s = time.monotonic()
                self._came_round(max(now_s - due_s, 0.0), now_s)
        finally:
            if self._watchdog is not None:
                self._watchdog.stop()

    def _came_round(self, lag_s: float, now_s: float) -> None:
        self._gauges.beat(lag_s, now_s)
        if self._watchdog is None:
            return
        if self._watchdog.reported:
            self._gauges.blocked_s += lag_s
            self.recent.ended(lag_s)
            log.warning("The event loop runs again; it was blocked for %.1f s", lag_s)
        elif lag_s >= self._limit_s:
            self._gauges.blocks += 1
            self._gauges.blocked_s += lag_s
            self.recent.unseen(lag_s)
            log.warning(
                "The event loop was %.1f s late, and no other thread could run meanwhile: the process was suspended, or"
                " native code held Python's global lock",
                lag_s,
            )

    def _blocked(self, block: Block) -> None:
        """Log what blocks the loop; in the watchdog's thread."""
        self._gauges.blocks += 1
        self.recent.began(self._running.name, block.overdue_s, block.stack)
        log.error(
            "The event loop has been blocked for %.1f s by %s; it serves no client meanwhile. Stack of its thread:\n%s",
            block.overdue_s, self._running.name, block.stack.rstrip(),
        )  # fmt: skip
