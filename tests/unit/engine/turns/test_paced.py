"""Which callbacks wait for clients that read too slowly, and in which order they go on."""

from __future__ import annotations

from typing import Any

from app_server.engine.turns.inbox import Over, Turn
from app_server.engine.turns.paced import PacedCallbacks
from app_server.session.connection import Connection

VIEWER = Connection(1)


class Slow:
    """The deliveries to one client; beats wait for it, or all callbacks do, or none."""

    def __init__(self) -> None:
        self.waits: str = "all"
        self.noted = 0

    def must_wait(self, connections: Any, *, beat: bool) -> bool:
        return self.waits == "all" or (beat and self.waits == "beats")

    def waited_for(self, connections: Any) -> None:
        self.noted += 1


def paced(slow: Slow, viewers: list[Connection]) -> tuple[PacedCallbacks, list[str]]:
    """The callbacks, and the kinds of those that were submitted."""
    submitted: list[str] = []

    def submit(turn: Turn, kind: str = "", heard_s: float | None = None, over: Over = None) -> None:
        submitted.append(kind)

    return PacedCallbacks(submit, slow, lambda: viewers), submitted  # type: ignore[arg-type]


def turn() -> list[Any]:
    return []


def test_callbacks_of_a_session_without_viewers_never_wait() -> None:
    callbacks, submitted = paced(Slow(), [])
    callbacks.submit(turn, "beat", beat=True)
    assert submitted == ["beat"]


def test_callbacks_wait_and_go_on_in_their_order() -> None:
    slow = Slow()
    callbacks, submitted = paced(slow, [VIEWER])
    callbacks.submit(turn, "beat", beat=True)
    callbacks.submit(turn, "timeout", beat=False)
    assert submitted == [] and slow.noted == 2
    slow.waits = "beats"
    callbacks.go_on()
    assert submitted == [], "the beat is the first"
    slow.waits = "none"
    callbacks.go_on()
    assert submitted == ["beat", "timeout"]


def test_timeout_passes_a_beat_that_waits_and_no_timeout() -> None:
    slow = Slow()
    callbacks, submitted = paced(slow, [VIEWER])
    slow.waits = "beats"
    callbacks.submit(turn, "beat", beat=True)
    callbacks.submit(turn, "timeout", beat=False)
    assert submitted == ["timeout"]


def test_what_waits_can_be_forgotten() -> None:
    slow = Slow()
    callbacks, submitted = paced(slow, [VIEWER])
    callbacks.submit(turn, "beat", beat=True)
    callbacks.clear()
    slow.waits = "none"
    callbacks.go_on()
    assert submitted == []
