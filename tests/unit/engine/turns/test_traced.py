"""The turns of sessions that are traced."""

from __future__ import annotations

from app_server.engine.turns.observed import ObservedTurnQueue
from app_server.engine.turns.queue import TurnQueue
from app_server.engine.turns.traced import TracedTurnQueue, traced


def test_turns_that_the_console_watches_are_watched_inside_their_spans() -> None:
    assert traced(TurnQueue) is TracedTurnQueue
    both = traced(ObservedTurnQueue)
    assert both.__mro__[1:4] == (TracedTurnQueue, ObservedTurnQueue, TurnQueue)
