"""Callbacks that wait for a session's clients: one that reads too slowly is not sent more than it can take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from app_server.engine.delivery import Delivery
from app_server.engine.turns.inbox import Over, Submit, Turn
from app_server.session.connection import Connection

Viewers = Callable[[], Sequence[Connection]]


class PacedCallbacks:
    """Submits the callbacks of one session in their order, each as soon as it need not wait for clients any more."""

    def __init__(self, submit: Submit, delivery: Delivery, viewers: Viewers) -> None:
        self._submit = submit
        self._delivery = delivery
        self._viewers = viewers
        self._waiting: deque[tuple[Turn, str, Over, bool]] = deque()

    def submit(self, turn: Turn, kind: str, over: Over = None, *, beat: bool) -> None:
        """Submit this callback or let it wait; a `beat` is a periodic one, which waits sooner than others."""
        if self._waiting:
            self.go_on()
        if self._must_wait(beat) or (not beat and any(not each[-1] for each in self._waiting)):
            self._waiting.append((turn, kind, over, beat))
            self._delivery.waited_for(self._viewers())
        else:
            self._submit(turn, kind, over=over)

    def go_on(self) -> None:
        """Submit the callbacks that need not wait any more."""
        while self._waiting and not self._must_wait(self._waiting[0][-1]):
            turn, kind, over, _ = self._waiting.popleft()
            self._submit(turn, kind, over=over)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _must_wait(self, beat: bool) -> bool:
        viewers = self._viewers()
        return bool(viewers) and self._delivery.must_wait(viewers, beat=beat)
