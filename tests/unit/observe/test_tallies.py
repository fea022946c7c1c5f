"""What sessions with processes of their own have counted."""

from __future__ import annotations

from typing import Any

from app_server.observe.gauges import ApplicationGauges
from app_server.observe.tallies import STILL_THERE_S, Tallies


def words(child: str, *, messages: int, over: bool = False) -> dict[str, Any]:
    """What a session tells."""
    gauges = ApplicationGauges()
    gauges.messages_in = messages
    now = {"sessions": 0 if over else 1}
    applications = {"/app": {"now": now, "ever": gauges.snapshot()}}
    memory = {"memory_bytes": 0 if over else 100, "answers": {"2xx": messages}}
    return {"child": child, "applications": applications, **memory, "over": over}


def test_sessions_are_added_up_while_they_live_and_what_they_counted_afterwards_too() -> None:
    tallies = Tallies()
    tallies.take(words("a", messages=1))
    tallies.take(words("a", messages=3))
    tallies.take(words("b", messages=10))
    assert tallies.balance()["/app"]["now"] == {"sessions": 2, "apart_bytes": 200}
    tallies.take(words("a", messages=5, over=True))
    balance = tallies.balance()["/app"]
    assert (balance["now"], balance["ever"]["messages_in"]) == ({"sessions": 1, "apart_bytes": 100}, 15)
    assert tallies.answers() == {"2xx": 15}


def test_session_that_crashed_is_gone_when_its_process_is() -> None:
    tallies = Tallies()
    tallies.take(words("a", messages=1))
    tallies.close("a")
    tallies.close("a")
    assert tallies.balance()["/app"] == {"now": {}, "ever": {**ApplicationGauges().snapshot(), "messages_in": 1}}


def test_session_of_which_nothing_is_heard_is_gone() -> None:
    now_s = [0.0]
    tallies = Tallies(clock=lambda: now_s[0])
    tallies.take(words("a", messages=1))
    now_s[0] = 2 * STILL_THERE_S
    tallies.take(words("b", messages=1))
    now_s[0] = 4 * STILL_THERE_S
    assert tallies.balance()["/app"]["now"] == {"sessions": 1, "apart_bytes": 100}
