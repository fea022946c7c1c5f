"""Reports what the process of one session counts to the process that hands it its connections, which adds it up.

It reports when something has happened, and a last time at the end: a thousand idle sessions cost nothing. What
one counted that crashed is known up to a few seconds before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from app_server.observe.child_metrics import STILL_THERE_S
from app_server.observe.memory import proportional_bytes
from app_server.processes import ipc
from app_server.processes.ipc import Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.server_state import ServerState

log = logging.getLogger(__name__)

QUESTION = "tally"

_FIRST_S = 2.0
"""A session that has just begun has other things to do."""

_SEND_EVERY_S = 5.0
"""The rhythm in which a session tells what has happened."""

_ANSWER_S = 1.0


class MetricsReporter:
    """Reports what a process counted for its only session; `child` is what the session is called there."""

    def __init__(self, state: ServerState, runtime_dir: RuntimeDir, slot: int, child: str) -> None:
        self._state = state
        self._runtime_dir = runtime_dir
        self._slot = slot
        self._child = child
        self._sent: Mapping[str, Any] = {}
        self._sent_at = 0.0

    async def run(self) -> None:
        """Report until cancelled."""
        await asyncio.sleep(_FIRST_S)
        while True:
            applications = self._applications()
            if applications != self._sent or time.monotonic() - self._sent_at > STILL_THERE_S:
                await self._send(applications)
            await asyncio.sleep(_SEND_EVERY_S)

    async def finish(self) -> None:
        """Send the last report."""
        await self._send(self._applications(), over=True)

    def _applications(self) -> dict[str, Any]:
        return {
            runtime.url: {"now": runtime.now(), "ever": runtime.gauges.snapshot()} for runtime in self._state.runtimes
        }

    async def _send(self, applications: Mapping[str, Any], *, over: bool = False) -> None:
        self._sent, self._sent_at = applications, time.monotonic()
        memory = 0 if over else proportional_bytes() or 0
        fields = {
            "question": QUESTION, "child": self._child, "over": over, "applications": applications,
            "memory_bytes": memory, "cpu_s": time.process_time(), "answers": dict(self._state.process.gauges.answers),
            "saving": self._state.process.gauges.saving.snapshot(),
        }  # fmt: skip
        try:
            await ipc.ask(self._runtime_dir.slot(self._slot), fields, _ANSWER_S)
        except (Unreachable, TimeoutError) as error:
            log.debug("Could not report what a session counted: %s", error)
