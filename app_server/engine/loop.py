"""The event loop of the sessions, as the engine uses it from any thread."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from asyncio import TimerHandle
from collections.abc import Callable
from functools import cached_property

from app_server.engine.running import Running
from app_server.session.naming import LogName

log = logging.getLogger(__name__)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop of a server's process; None for the usual one.

    Windows' usual loop does not watch sockets: Tornado adds a thread for that, which each message would go through.
    """
    return asyncio.SelectorEventLoop if hasattr(asyncio, "ProactorEventLoop") else None


class EngineLoop:
    """One asyncio loop, and the context in which what it calls begins: no session's.

    It may be made in another thread than the one in which the loop will run, and without `loop` before there is one:
    then it is the loop of the process in which it is first needed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._given = loop
        self.running = Running()
        self._context = contextvars.copy_context()

    @cached_property
    def asyncio(self) -> asyncio.AbstractEventLoop:
        """The loop itself."""
        return asyncio.get_event_loop() if self._given is None else self._given

    def is_here(self) -> bool:
        """Whether the loop has called this."""
        try:
            return asyncio.get_running_loop() is self.asyncio
        except RuntimeError:
            return False

    def time(self) -> float:
        """The loop's clock, in seconds."""
        return self.asyncio.time()

    def soon(self, application: LogName, function: Callable[[], None]) -> None:
        """Call `function` for this application in the next iteration; from any thread. A closed loop drops it."""
        call = self.asyncio.call_soon if self.is_here() else self.asyncio.call_soon_threadsafe
        try:
            call(function, context=self._context.copy())
        except RuntimeError:
            log.debug("%s: the event loop is closed; dropping a callback", application)

    def call_at(self, due_s: float, function: Callable[[], None]) -> TimerHandle:
        """Call `function` at this time of the loop's clock; only in its thread."""
        return self.asyncio.call_at(due_s, function, context=self._context.copy())
