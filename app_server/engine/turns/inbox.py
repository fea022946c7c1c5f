"""What a session's clients have sent, and when each message has its turn.

A message has its turn after the next-tick callbacks that the messages before it have added, even if they all arrived in
one packet: an application that answers a message in a next-tick callback, as Panel answers its events, finds the
document there as the message has left it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from app_server.session.effects import Effect

Turn: TypeAlias = Callable[[], list[Effect]]
Over: TypeAlias = Callable[[], None] | None


class Submit(Protocol):
    """Takes a turn now, or as soon as the turns before it are over."""

    def __call__(self, turn: Turn, kind: str = "", heard_s: float | None = None, over: Over = None) -> None: ...


class Inbox:
    """The turns of messages, of which one at a time is submitted; for one session and all its clients."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self.waiting: deque[tuple[Turn, str, float | None, Over]] = deque()
        """What was put and is not submitted yet."""
        self._submitted = False
        """Whether a turn has been submitted and has not begun."""
        self._reading = False
        """Whether the turn of a message is being taken."""
        self._ticks: set[str] = set()
        """The next-tick callbacks that messages have added, and that are not submitted yet."""

    def put(self, turn: Turn, kind: str = "", heard_s: float | None = None, over: Over = None) -> None:
        """Take this turn after those that were put before, and after the next-tick callbacks that they add."""
        if self.waiting or self._submitted or self._ticks:
            self.waiting.append((turn, kind, heard_s, over))
        else:
            self._submitted = True
            self._submit(partial(self._take, turn), kind, heard_s, over)
        if self.waiting:
            self.go_on()

    def go_on(self) -> None:
        """Submit the next turn, unless it has to wait."""
        while self.waiting and not self._submitted and not self._ticks:
            turn, kind, heard_s, over = self.waiting.popleft()
            self._submitted = True
            self._submit(partial(self._take, turn), kind, heard_s, over)

    def _take(self, turn: Turn) -> list[Effect]:
        self._submitted = False
        self._reading = True
        try:
            return turn()
        finally:
            self._reading = False

    def tick_added(self, ident: str) -> None:
        """A next-tick callback was added; `tick_submitted` follows, also if it is removed. From any thread."""
        if self._reading:
            self._ticks.add(ident)

    def tick_submitted(self, ident: str) -> None:
        """A next-tick callback waits for its turn, or has had it."""
        self._ticks.discard(ident)
        self.go_on()

    def clear(self) -> None:
        """Forget what was put and has not begun."""
        self.waiting.clear()
