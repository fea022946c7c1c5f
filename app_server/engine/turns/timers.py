"""The timers of a session: when its periodic, timeout and next-tick callbacks are due.

A callback that is due waits for its turn like everything else that happens to the session. A periodic callback leaves
out a beat only while its own last run is waiting or running: no callback can keep another from running.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from app_server.document.callbacks import SessionCallback, Timing
from app_server.engine.loop import EngineLoop
from app_server.engine.turns.inbox import Inbox, Over, Turn
from app_server.engine.turns.paced import PacedCallbacks
from app_server.session.effects import Effect
from app_server.session.naming import LogName
from app_server.session.session import Session

_SHORTEST_PERIOD_S = 0.0005


class Turns(Protocol):
    """Where the turns of a session wait; `over` is called when a turn and what it awaits have ended."""

    @property
    def session(self) -> Session: ...

    @property
    def paced(self) -> PacedCallbacks: ...

    def take(self, turn: Turn, kind: str, heard_s: float | None = None, over: Over = None) -> None: ...


class Timers:
    """The session callbacks of one session; they may be added and removed from any thread."""

    def __init__(self, application: LogName, loop: EngineLoop, queue: Turns, inbox: Inbox) -> None:
        self._application = application
        self._loop = loop
        self._queue = queue
        self._inbox = inbox
        self._handles: dict[str, asyncio.Handle] = {}
        self._wanted: set[str] = set()  # changed in any thread; adding and discarding are atomic
        self._busy: set[str] = set()
        """The periodic callbacks whose last run waits or is under way."""

    def callback_added(self, callback: SessionCallback) -> None:
        """Run this callback when it is due (from any thread)."""
        self._wanted.add(callback.ident)
        if callback.timing is Timing.NEXT_TICK:
            self._inbox.tick_added(callback.ident)
        self._loop.soon(self._application, lambda: self._schedule(callback))

    def callback_removed(self, ident: str) -> None:
        """Do not run this callback any more (from any thread)."""
        self._wanted.discard(ident)
        self._loop.soon(self._application, lambda: self._cancel(ident))

    def stop(self) -> None:
        """Run nothing any more."""
        self._wanted.clear()
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()

    def _schedule(self, callback: SessionCallback) -> None:
        if callback.timing is Timing.NEXT_TICK:
            try:
                self._run(callback)
            finally:
                self._inbox.tick_submitted(callback.ident)
        elif callback.ident in self._wanted and not self._queue.session.destroyed:
            self._call_at(callback, self._loop.time() + callback.delay_ms / 1000)

    def _call_at(self, callback: SessionCallback, due_s: float) -> None:
        self._handles[callback.ident] = self._loop.call_at(due_s, partial(self._due, callback, due_s))

    def _due(self, callback: SessionCallback, due_s: float) -> None:
        if callback.timing is Timing.TIMEOUT:
            del self._handles[callback.ident]
            self._run(callback)
            return
        # The next beat is due a period after this one was, which keeps the rate; what was missed is left out.
        period_s = max(callback.delay_ms / 1000, _SHORTEST_PERIOD_S)
        missed = max(0, int((self._loop.time() - due_s) / period_s))
        self._call_at(callback, due_s + (missed + 1) * period_s)
        self._beat(callback)

    def _beat(self, callback: SessionCallback) -> None:
        """Run a periodic callback, unless its last run is not over yet; that one may be waiting for a client."""
        if callback.ident in self._busy:
            self._queue.paced.go_on()
        else:
            self._busy.add(callback.ident)
            self._run(callback, partial(self._busy.discard, callback.ident))

    def _run(self, callback: SessionCallback, over: Over = None) -> None:
        timing, turn = callback.timing, partial(self._run_if_wanted, callback)
        if callback.locked:
            self._queue.paced.submit(turn, timing.kind, over, beat=timing is Timing.PERIODIC)
        else:
            self._queue.take(turn, timing.kind, over=over)

    def _run_if_wanted(self, callback: SessionCallback) -> list[Effect]:
        return self._queue.session.run(callback) if callback.ident in self._wanted else []

    def _cancel(self, ident: str) -> None:
        handle = self._handles.pop(ident, None)
        if handle is not None:
            handle.cancel()
