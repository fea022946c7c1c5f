"""The pace and the hints of a tunnel that is kept open."""

from __future__ import annotations

from app_server.deployment.tunnels.keeper import LONGEST_WAIT_S, Pace, hint_for


def test_waits_double_up_to_a_limit() -> None:
    pace, waits = Pace(), []
    for _ in range(6):
        waits.append(pace.wait_s)
        pace = pace.next()
    assert waits == [0.5, 1, 2, 4, 5, LONGEST_WAIT_S]


def test_unknown_words_of_ssh_have_no_hint() -> None:
    assert hint_for("something new") is None
