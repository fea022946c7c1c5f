"""The pulse of a loop: how late it comes round, and what held it when that was too late."""

from __future__ import annotations

import asyncio
import logging
import time
from types import CodeType, FrameType

from app_server.engine.runtime import ApplicationRuntime, TurnQueue
from app_server.observe.gauges import LoopGauges
from app_server.observe.watchdog import Block, Watchdog
from app_server.session.naming import LogName

log = logging.getLogger(__name__)

_BEAT_S = 0.5
"""Often enough to tell half a second from ten, and seldom enough to cost nothing."""


class LoopMonitor:
    """Measures the lag of the running loop, and has a watchdog look at it from outside."""

    def __init__(self, gauges: LoopGauges, limit_s: float) -> None:
        self._gauges = gauges
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
            log.warning("The loop goes on; it was blocked for %.1f s", lag_s)
        elif lag_s >= self._limit_s:
            self._gauges.blocks += 1
            self._gauges.blocked_s += lag_s
            log.warning(
                "The loop came round %.1f s late, and no thread could look meanwhile: the process was stopped, or what"
                " ran held Python's lock",
                lag_s,
            )

    def _blocked(self, block: Block) -> None:
        """Say what blocks the loop; in the watchdog's thread."""
        self._gauges.blocks += 1
        log.error(
            "The loop has been blocked for %.1f s, and nobody is served meanwhile, by %s. What it does:\n%s",
            block.overdue_s, whose_turn(block.frame), block.stack.rstrip(),
        )  # fmt: skip


def whose_turn(frame: FrameType) -> LogName:
    """Whose code a thread runs, in words for the log, as the calls that led there show it."""
    found: FrameType | None = frame
    while found is not None:
        words = _WORDS.get(found.f_code)
        if words is not None:
            known = found.f_locals  # of our own calls alone
            if isinstance(known["self"], TurnQueue):
                name = known["self"].session.name
                return LogName(words.format_map(known), application=name.application, session=name.session)
            return LogName(words.format_map(known), application=known["self"].url, session=known.get("session_id", ""))
        found = found.f_back
    return LogName("no session's turn", application="")


_WORDS: dict[CodeType, str] = {
    TurnQueue.take.__code__: "{self.session.name}",
    TurnQueue._finish.__code__: "{self.session.name}, in {effect.name}",
    ApplicationRuntime._build.__code__: "{self.name} session {session_id:.8}…, which is being built",
    ApplicationRuntime._guarded.__code__: "{self.name}, in the hook {name}",
}
"""What it means that these calls are under way."""
