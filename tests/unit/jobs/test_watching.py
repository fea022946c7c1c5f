"""How what happens to a job comes back to a session."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app_server.jobs.job import Ending, Job
from app_server.jobs.state import JobState
from app_server.jobs.watching import Callbacks, SessionWatcher
from tests.unit.jobs.making import Turns


class Watched:
    """A job that a session watches."""

    def __init__(self, **callbacks: Any) -> None:
        self.turns = Turns()
        self.said: list[Any] = []
        self.shown: list[Job] = []
        self.job = Job("compute")
        called = {name: self._noting(name) for name in ("on_progress", "on_result", "on_error", "on_cancel")}
        chosen = Callbacks(**{**called, **callbacks})
        watcher = SessionWatcher(
            self.job, "/app session one…", chosen, self.turns.add_next_tick_callback, self.shown.append
        )
        self.job.watch(watcher)

    def _noting(self, name: str) -> Any:
        return lambda *values: self.said.append((name, *values))


def test_of_many_reports_the_newest_is_shown_and_then_the_result() -> None:
    watched = Watched()
    watched.job.begin()
    for number in range(1000):
        watched.job.report(number / 1000, f"step {number}")
    assert len(watched.turns.waiting) == 1
    watched.turns.run()
    watched.job.report(1.0, "done")
    watched.job.end(Ending(JobState.DONE, 42))
    watched.turns.run()
    assert watched.said == [("on_progress", 0.999, "step 999"), ("on_progress", 1.0, "done"), ("on_result", 42)]
    assert watched.shown == [watched.job]


def test_failure_is_given_to_on_error() -> None:
    watched, error = Watched(), ValueError("no such town")
    watched.job.end(Ending(JobState.FAILED, error=error))
    watched.turns.run()
    assert watched.said == [("on_error", error)]


def test_failure_without_on_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(on_error=None)
    watched.job.end(Ending(JobState.FAILED, error=ValueError("no such town")))
    with caplog.at_level(logging.ERROR):
        watched.turns.run()
    assert caplog.messages == ["/app session one…: the job compute failed; it has no on_error"]
    assert "ValueError: no such town" in caplog.text


@pytest.mark.parametrize("ending", [Ending(JobState.DONE, 42), Ending(JobState.FAILED, error=ValueError("no"))])
def test_after_cancel_nothing_of_the_job_is_shown_but_that(ending: Ending) -> None:
    watched = Watched()
    watched.job.begin()
    watched.job.report(0.5, "half")
    watched.job.end(ending)
    watched.job.cancel()  # too late for the work, but not for what is queued
    watched.turns.run()
    assert watched.said == [("on_cancel",)]


def test_job_without_callbacks_ends_quietly() -> None:
    watched = Watched(on_progress=None, on_result=None, on_cancel=None)
    watched.job.begin()
    watched.job.report(0.5, "half")
    assert not watched.turns.waiting
    watched.job.end(Ending(JobState.DONE, 42))
    watched.turns.run()
    assert watched.said == [] and watched.shown == [watched.job]


def test_what_a_callback_returns_is_the_turns_to_await() -> None:
    watched = Watched(on_progress=lambda fraction, text: "to be awaited", on_result=lambda value: f"so is {value}")
    watched.job.begin()
    watched.job.end(Ending(JobState.DONE, 42))
    assert [call() for call in watched.turns.waiting] == ["to be awaited", "so is 42"]
