"""What sessions with processes of their own have counted."""

from __future__ import annotations

from typing import Any

from app_server.observe.child_metrics import STILL_THERE_S, ChildMetrics
from app_server.observe.gauges import ApplicationGauges


def words(child: str, *, messages: int, over: bool = False) -> dict[str, Any]:
    """What a session tells."""
    gauges = ApplicationGauges()
    gauges.messages_in = messages
    now = {"sessions": 0 if over else 1}
    applications = {"/app": {"now": now, "ever": gauges.snapshot()}}
    memory = {"memory_bytes": 0 if over else 100, "answers": {"2xx": messages}, "saving": {"saved": messages}}
    return {"child": child, "applications": applications, **memory, "cpu_s": messages / 10, "over": over}


def test_sessions_are_added_up_while_they_live_and_what_they_counted_afterwards_too() -> None:
    child_metrics = ChildMetrics()
    assert child_metrics.cpu_s() == 0
    child_metrics.take(words("a", messages=1))
    child_metrics.take(words("a", messages=3))
    child_metrics.take(words("b", messages=10))
    assert child_metrics.balance()["/app"]["now"] == {"sessions": 2, "apart_bytes": 200}
    child_metrics.take(words("a", messages=5, over=True))
    balance = child_metrics.balance()["/app"]
    assert (balance["now"], balance["ever"]["messages_in"]) == ({"sessions": 1, "apart_bytes": 100}, 15)
    assert child_metrics.answers() == {"2xx": 15}
    assert child_metrics.saving() == {"saved": 15}
    assert child_metrics.cpu_s() == 1.5


def test_session_that_crashed_is_gone_when_its_process_is() -> None:
    child_metrics = ChildMetrics()
    child_metrics.take(words("a", messages=1))
    child_metrics.close("a")
    child_metrics.close("a")
    assert child_metrics.balance()["/app"] == {"now": {}, "ever": {**ApplicationGauges().snapshot(), "messages_in": 1}}


def test_session_of_which_nothing_is_heard_is_gone() -> None:
    now_s = [0.0]
    child_metrics = ChildMetrics(clock=lambda: now_s[0])
    child_metrics.take(words("a", messages=1))
    now_s[0] = 2 * STILL_THERE_S
    child_metrics.take(words("b", messages=1))
    now_s[0] = 4 * STILL_THERE_S
    assert child_metrics.balance()["/app"]["now"] == {"sessions": 1, "apart_bytes": 100}
