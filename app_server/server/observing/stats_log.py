"""What the server logs about itself, at the interval of --stats-log-frequency and --mem-log-frequency."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Coroutine, Iterator
from typing import Any

from app_server.observe.memory import resident_bytes
from app_server.requests.state.server_state import ServerState

log = logging.getLogger(__name__)


class StatsLog:
    """The periodic log lines of one server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._last_stats = ""

    def work(self) -> Iterator[Coroutine[Any, Any, None]]:
        """The loops to run; none for a rhythm of 0."""
        settings = self._state.settings
        if settings.stats_log_frequency_ms > 0:
            yield self._every(settings.stats_log_frequency_ms / 1000, self._stats)
        if settings.mem_log_frequency_ms > 0:
            yield self._every(settings.mem_log_frequency_ms / 1000, self._memory)

    async def _every(self, period_s: float, report: Any) -> None:
        while True:
            await asyncio.sleep(period_s)
            report()

    def _stats(self) -> None:
        """Sessions and connections of each application; once, as long as nothing changes."""
        stats = "; ".join(
            f"{runtime.url}: {len(runtime.registry)} sessions with "
            f"{sum(session.connection_count for session in runtime.registry)} connections, "
            f"{sum(not session.connections for session in runtime.registry)} unused"
            for runtime in self._state.runtimes
        )
        if stats != self._last_stats:
            self._last_stats = stats
            log.info("[pid %d] %s", os.getpid(), stats)

    def _memory(self) -> None:
        megabytes = resident_bytes() / 1e6
        log.info("[pid %d] %.0f MB in use, %d objects tracked", os.getpid(), megabytes, len(gc.get_objects()))
