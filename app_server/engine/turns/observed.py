"""The turns of a session of which a record is kept for the console."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from app_server.document.callbacks import SessionCallback
from app_server.document.called import callbacks_of
from app_server.engine.turns.inbox import Over, Turn
from app_server.engine.turns.queue import TurnQueue
from app_server.observe.session_record import SessionRecord, Slowest, place_of
from app_server.protocol.messages import Message

_clock = time.monotonic

_MOST_NAMED = 2
"""How many callbacks of one turn are named: most have one."""


class ObservedTurnQueue(TurnQueue):
    """Notes of each turn how long it took; which callback that was is only looked up for the slowest so far."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.record = SessionRecord()
        super().__init__(*arguments, **more)

    def take(self, turn: Turn, kind: str, heard_s: float | None = None, over: Over = None) -> None:
        """As for every session, with a note."""
        began_s = _clock()
        super().take(turn, kind, heard_s, over)
        now_s = _clock()
        if heard_s is not None:
            self.record.heard(heard_s, now_s)
        if kind and now_s - began_s > self.record.slowest.duration_s:
            self.record.note_slowest(Slowest(now_s - began_s, kind, self._called_in(turn)))

    def _called_in(self, turn: Turn) -> str:
        """The callbacks that were called in this turn, as far as it shows them; "" if it does not."""
        if self.session.destroyed:
            return ""
        places = list(islice(map(place_of, self._functions(turn)), _MOST_NAMED + 1))
        return ", ".join(places[:_MOST_NAMED]) + (" …" if len(places) > _MOST_NAMED else "")

    def _functions(self, turn: Any) -> Iterator[Any]:
        while isinstance(turn, partial):
            for argument in turn.args:
                if isinstance(argument, SessionCallback):
                    yield argument.function
                elif isinstance(argument, Message):
                    yield from callbacks_of(self.session.document, argument.content)
                elif isinstance(argument, partial):
                    yield from self._functions(argument)
            turn = turn.func
