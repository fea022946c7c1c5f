"""A session that is traced, and its turns: what `Session` and `TurnQueue` do, in spans.

A session is one of these from its beginning, or never: those that are not traced pay nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from app_server.document.called import Called
from app_server.engine.turns.inbox import Over, Turn
from app_server.engine.turns.observed import ObservedTurnQueue
from app_server.engine.turns.queue import TurnQueue, clock
from app_server.observe.otel.tracing import SessionTrace
from app_server.protocol.messages import Message
from app_server.session.connection import Connection
from app_server.session.effects import Await, Effect
from app_server.session.incoming import HANDLERS
from app_server.session.session import Session


class TracedTurnQueue(TurnQueue):
    """The turns of a session, each of which is a span."""

    def __init__(self, trace: SessionTrace, *arguments: Any) -> None:
        self._trace = trace
        super().__init__(*arguments)

    def take(self, turn: Turn, kind: str, heard_s: float | None = None, over: Over = None) -> None:
        """Take this turn now, in a span."""
        with self._trace.turn(kind, None if heard_s is None else clock() - heard_s):
            super().take(turn, kind, heard_s, over)

    async def _finish(self, effect: Await, over: Over, seen_as_current: object = None) -> None:
        with self._trace.callback(f"{effect.name}, awaited", None):
            await super()._finish(effect, over, seen_as_current)


class TracedObservedTurnQueue(TracedTurnQueue, ObservedTurnQueue):
    """The turns of a session that the console keeps a record of, too."""


def traced(kind: type[TurnQueue]) -> type[TracedTurnQueue]:
    """This kind of turns, in spans."""
    return TracedObservedTurnQueue if issubclass(kind, ObservedTurnQueue) else TracedTurnQueue


class TracedSession(Session):
    """A session whose callbacks are spans."""

    def __init__(self, trace: SessionTrace, *arguments: Any, **named: Any) -> None:
        self._trace = trace
        super().__init__(*arguments, **named)
        self.document.callbacks.call_around(self._in_span)

    def _in_span(self, called: Called) -> AbstractContextManager[None]:
        return self._trace.callback(called.what, called.first)

    def join(self, connection: Connection) -> list[Effect]:
        """A client has come."""
        self._trace.name_turn("join")
        return super().join(connection)

    def leave(self, connection: Connection, now_s: float) -> list[Effect]:
        """A client has gone."""
        self._trace.name_turn("leave")
        return super().leave(connection, now_s)

    def receive(self, connection: Connection, message: Message) -> list[Effect]:
        """A message has come from this client."""
        self._trace.name_turn(message.msgtype if message.msgtype in HANDLERS else "of an unknown message")
        return super().receive(connection, message)

    def turn(self, function: Callable[[], Any], name: str, *, locked: bool = True) -> list[Effect]:
        """Call `function` in a span, unless that only looks for callbacks, which are spans then."""
        if function != self.document.notify_connection_lost:
            function = partial(self._called, function, name)
        return super().turn(function, name, locked=locked)

    def _called(self, function: Callable[[], Any], name: str) -> Any:
        with self._trace.callback(name, function):
            return function()

    def log_failure(self, name: str) -> None:
        """Log the exception at hand, and note it in the span that is current."""
        self._trace.failed(sys.exc_info()[1])
        super().log_failure(name)
