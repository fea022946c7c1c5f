"""The process's part in OpenTelemetry: when its spans begin to be sent, when its figures are, and the end of both."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from app_server.observe.otel.environment import interval_s
from app_server.observe.otel.setup import instance_of, make_figure_sender
from app_server.requests.state.server_state import ServerState
from app_server.server.observing.metrics import snapshot_of

if TYPE_CHECKING:
    from app_server.observe.otel.figures import FigureSender

_LAST_WITHIN_S = 2.0
"""How long a process that ends waits until what is left is sent: a collector that is away must not hold it up."""


class Telemetry:
    """Traces and figures of one process; nothing of it runs before the fork that has made the process."""

    def __init__(self, state: ServerState, port: int | None) -> None:
        self._state = state
        self._port = port
        self._sender: FigureSender | None = None
        self._sending: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send spans, if there are any."""
        self._state.process.tracing.start(self._instance())

    def work(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What sends figures from time to time, if they are sent. Sessions' processes report theirs to this one."""
        self._sender = make_figure_sender(self._state.settings, self._instance())
        if self._sender is not None:
            yield self._send_figures()

    async def stop(self) -> None:
        """Send what is left, figures and spans at the same time, within a bound."""
        await asyncio.gather(self._stop_figures(), self._stop_spans())

    async def _stop_figures(self) -> None:
        if self._sender is not None:
            await self._send(self._sender.patience_s(_LAST_WITHIN_S))
            await self._in_thread(self._sender.stop, _LAST_WITHIN_S)

    async def _stop_spans(self) -> None:
        if self._state.process.tracing.on:
            await self._in_thread(lambda: self._state.process.tracing.stop(_LAST_WITHIN_S), 2 * _LAST_WITHIN_S)

    def _instance(self) -> str:
        """What this process is called: by its place among the server's, or by its number if it is a session's."""
        process = self._state.process
        slot = 0 if process.workers is None else process.workers.slot
        name = f"session-{os.getpid()}" if process.only_session is not None else str(slot)
        return instance_of(self._state.settings, self._port, name)

    async def _send_figures(self) -> None:
        period_s = interval_s(os.environ)
        while True:
            await asyncio.sleep(period_s)
            await self._send(0.0)

    async def _send(self, patience_s: float) -> None:
        """Send the figures of this moment in a thread, unless the last ones are still on their way."""
        sender = self._sender
        if sender is None or (self._sending is not None and self._sending.is_alive()):
            return
        snapshot = snapshot_of(self._state)
        self._sending = threading.Thread(target=sender.send, args=(snapshot,), name="metrics", daemon=True)
        self._sending.start()
        await self._wait(self._sending, patience_s)

    async def _in_thread(self, work: Any, patience_s: float) -> None:
        thread = threading.Thread(target=work, name="telemetry's end", daemon=True)
        thread.start()
        await self._wait(thread, patience_s)

    async def _wait(self, thread: threading.Thread, patience_s: float) -> None:
        """Wait until the thread has ended or the time is up; threads that go on end with the process."""
        loop = asyncio.get_running_loop()
        latest_s = loop.time() + patience_s
        while thread.is_alive() and loop.time() < latest_s:
            await asyncio.sleep(0.01)
