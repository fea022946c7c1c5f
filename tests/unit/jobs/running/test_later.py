"""Calls that are due after a time."""

from __future__ import annotations

from app_server.jobs.running.later import call_later
from tests.support.waiting import until


def test_call_comes_unless_it_was_cancelled_in_a_thread_that_keeps_nothing_up() -> None:
    said: list[str] = []
    call_later(0.1, lambda: said.append("cancelled")).cancel()
    timer = call_later(0.15, lambda: said.append("called"))
    assert timer.daemon
    until(lambda: said, "it is called")
    assert said == ["called"]


def test_time_that_no_clock_of_the_system_can_wait_for_is_waited_for() -> None:
    timer = call_later(float("inf"), lambda: None)
    timer.join(0.05)
    assert timer.is_alive()
    timer.cancel()
