"""When callbacks of a program are due."""

from __future__ import annotations

from app_server.client.agenda import Agenda
from app_server.document.callbacks import SessionCallback, Timing


def callback(ident: str, timing: Timing, delay_ms: float = 0) -> SessionCallback:
    return SessionCallback(ident, lambda: None, timing, delay_ms, locked=True)


def taken(agenda: Agenda, now_s: float) -> str | None:
    found = agenda.take(now_s)
    return None if found is None else found.ident


def test_nothing_is_due_at_first() -> None:
    agenda = Agenda()
    assert (agenda.next_due_s(), agenda.take(100.0)) == (None, None)


def test_callbacks_of_one_moment_are_due_in_the_order_in_which_they_came() -> None:
    agenda = Agenda()
    for ident in "cab":
        agenda.add(callback(ident, Timing.NEXT_TICK), 5.0)
    assert [taken(agenda, 5.0) for _ in range(4)] == ["c", "a", "b", None]


def test_time_out_is_due_once_and_not_before() -> None:
    agenda = Agenda()
    agenda.add(callback("late", Timing.TIMEOUT, 1500), 10.0)
    assert agenda.next_due_s() == 11.5
    assert [taken(agenda, moment) for moment in (11.4, 11.5, 20.0)] == [None, "late", None]


def test_periodic_callback_is_due_a_period_after_it_ran() -> None:
    agenda = Agenda()
    agenda.add(callback("beat", Timing.PERIODIC, 1000), 0.0)
    assert [taken(agenda, moment) for moment in (0.5, 1.25, 2.0, 2.25)] == [None, "beat", None, "beat"]


def test_removed_callback_is_never_due() -> None:
    agenda = Agenda()
    agenda.add(callback("gone", Timing.PERIODIC, 10), 0.0)
    agenda.remove("gone")
    agenda.remove("unknown")
    assert agenda.take(9.0) is None
    agenda.add(callback("cleared", Timing.NEXT_TICK), 0.0)
    agenda.clear()
    assert agenda.take(9.0) is None
