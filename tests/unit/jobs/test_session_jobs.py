"""The jobs of one session: submitted, found again, and ended with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app_server.jobs.errors import JobError, JobsFull
from app_server.jobs.session_jobs import Modules
from app_server.jobs.watching import Callbacks
from tests.support.waiting import until
from tests.unit.jobs.making import (
    Latch,
    Visit,
    fails,
    in_steps,
    look_until_cancelled,
    process_id,
    small_pool,
    until_cancelled,
)


@pytest.fixture
def latch() -> Iterator[Latch]:
    made = Latch()
    yield made
    made.open.set()


def test_progress_and_result_come_back_as_turns() -> None:
    visit = Visit()
    job = visit.submit(in_steps, 3)
    assert visit.outcome() == ("result", 3)
    assert visit.said[-2] == ("progress", 1.0, "step 3") and job.state == "done"


def test_failure_comes_back_with_its_exception() -> None:
    visit = Visit()
    job = visit.submit(fails)
    kind, error = visit.outcome()
    assert kind == "error" and str(error) == "no such town" and job.error is error


def test_work_runs_in_a_process_and_in_an_executor_too() -> None:
    visit = Visit()
    visit.submit(process_id, where="process")
    assert visit.outcome()[1] != os.getpid()
    with ThreadPoolExecutor(1) as executor:
        visit.submit(in_steps, 2, where=executor)
        visit.wait(lambda: visit.said[-1] == ("result", 2), "the executor has done it")


def test_place_that_is_none_is_refused() -> None:
    with pytest.raises(JobError) as caught:
        Visit().submit(fails, where="cloud")
    assert str(caught.value) == (
        'submit: where=\'cloud\' is not an executor. Pass "thread", "process", or an object whose submit(function)'
        " returns a future"
    )


def test_thread_that_reports_ends_when_its_session_does_and_nothing_comes_late() -> None:
    visit, noted = Visit(), list[str]()
    job = visit.submit(until_cancelled, noted)
    visit.wait(lambda: visit.said, "it reports")
    visit.jobs.end()
    visit.turns.waiting.clear()
    until(lambda: noted, "the thread has left")
    assert job.state == "cancelled" and not visit.turns.waiting


def test_queued_job_of_an_ended_session_never_begins(latch: Latch) -> None:
    pool = small_pool()
    first, second = Visit(pool, "one"), Visit(pool, "two")
    first.submit(latch)
    job = second.submit(in_steps, 1)
    second.jobs.end()
    latch.open.set()
    assert first.outcome() == ("result", "through") and job.state == "cancelled" and second.said == []


def test_session_that_has_ended_submits_nothing() -> None:
    visit = Visit()
    visit.jobs.end()
    with pytest.raises(JobError) as caught:
        visit.submit(fails)
    assert str(caught.value) == "fails: the session has ended. Check job.state in its thread"


def test_callbacks_for_a_document_that_has_just_ended_are_dropped(latch: Latch) -> None:
    visit = Visit()
    job = visit.submit(latch)
    visit.turns.ended = True
    latch.open.set()
    until(lambda: job.over, "it has ended")
    assert job.state == "done" and visit.said == []


# Named jobs.


def test_named_job_outlives_its_session_and_is_found_by_the_one_that_comes_back(latch: Latch) -> None:
    pool = small_pool()
    left = Visit(pool)
    job = left.submit(latch, name="fit")
    left.jobs.end()
    assert job.state in ("queued", "running")
    back = Visit(pool)
    assert back.jobs.find("fit", back.callbacks) is job
    latch.open.set()
    assert back.outcome() == ("result", "through") and left.said == []


def test_result_of_a_named_job_is_shown_to_who_comes_later() -> None:
    pool = small_pool()
    left = Visit(pool)
    job = left.submit(in_steps, 1, name="fit")
    left.jobs.end()
    until(lambda: job.over, "it is done")
    back = Visit(pool)
    assert back.jobs.find("fit", back.callbacks) is job
    assert back.outcome() == ("result", 1)


def test_another_visitor_finds_nothing_and_another_page_of_the_same_user_does(latch: Latch) -> None:
    pool = small_pool()
    ada = Visit(pool, "one", "ada")
    job = ada.submit(latch, name="fit")
    assert Visit(pool, "two", "bob").jobs.find("fit", Callbacks()) is None
    other = Visit(pool, "three", "ada")
    assert other.jobs.find("fit", other.callbacks) is job
    ada.jobs.end()  # the other page goes on watching
    latch.open.set()
    assert other.outcome() == ("result", "through")


def test_name_is_free_again_when_its_job_has_ended(latch: Latch) -> None:
    visit = Visit()
    job = visit.submit(latch, name="fit")
    until(latch.begun.is_set, "it runs")
    with pytest.raises(JobError) as caught:
        visit.submit(in_steps, 1, name="fit")
    assert str(caught.value) == (
        "submit: a job named 'fit' is running already. Find it with find('fit'), or cancel it first"
    )
    job.cancel()
    assert visit.submit(in_steps, 1, name="fit") is not job


def test_finding_twice_replaces_the_callbacks(latch: Latch) -> None:
    visit = Visit()
    visit.submit(latch, name="fit")
    later: list[Any] = []
    visit.jobs.find("fit", Callbacks(on_result=later.append))
    latch.open.set()
    visit.wait(lambda: later, "the later one is called")
    assert later == ["through"] and not any(kind == "result" for kind, *_ in visit.said)


def test_named_job_ends_with_a_session_that_was_never_opened(latch: Latch) -> None:
    visit, noted = Visit(), list[bool]()
    job = visit.submit(look_until_cancelled, noted, name="fit")
    visit.jobs.end(keeps=False)
    until(lambda: noted, "the thread has left")
    assert job.state == "cancelled"


def test_job_that_was_refused_leaves_its_name_free(latch: Latch) -> None:
    visit = Visit(small_pool(1, queued=0), fit={"label": "simulate", "fraction": 0.4, "text": ""})
    visit.submit(latch)
    with pytest.raises(JobsFull):
        visit.submit(in_steps, 1, name="fit")
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(JobError, match="the executor has refused it"):
        visit.submit(in_steps, 1, name="fit", where=executor)
    latch.open.set()
    assert visit.outcome() == ("result", "through") and len(visit.said) == 2
    found = visit.jobs.find("fit", visit.callbacks)
    assert found is not None and found.state == "lost"
    visit.submit(in_steps, 1, name="fit")
    visit.wait(lambda: visit.said[-1] == ("result", 1), "it is done")


# What is saved with the session.


def test_jobs_are_saved_until_their_end_was_shown(latch: Latch) -> None:
    visit = Visit()
    visit.submit(in_steps, 1)
    job = visit.submit(latch, name="fit")
    assert visit.jobs.as_saved() == {"fit": {"label": "Latch", "fraction": 0.0, "text": ""}}
    job.report(0.41234, "x" * 1000)
    assert visit.jobs.as_saved() == {"fit": {"label": "Latch", "fraction": 0.412, "text": "x" * 200}}
    latch.open.set()
    visit.wait(lambda: ("result", "through") in visit.said, "its end was shown")
    assert visit.jobs.as_saved() == {}


def test_job_whose_process_is_gone_is_found_as_lost_once_with_how_far_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visit = Visit(fit={"label": "simulate", "fraction": 0.4, "text": "step 400"})
    assert visit.jobs.as_saved() == {"fit": {"label": "simulate", "fraction": 0.4, "text": "step 400"}}
    told: list[Any] = []
    job = visit.jobs.find("fit", Callbacks(on_lost=told.append))
    assert job is not None
    visit.turns.run()
    assert told == [job]
    assert (job.state, job.label, job.fraction, job.text) == ("lost", "simulate", 0.4, "step 400")
    assert caplog.messages == ["/app session one…: the job fit was lost with its process at 40 %"]
    assert visit.jobs.find("fit", visit.callbacks) is None and visit.jobs.as_saved() == {}


def test_job_that_is_still_here_is_not_lost(latch: Latch) -> None:
    pool = small_pool()
    left = Visit(pool)
    job = left.submit(latch, name="fit")
    saved = left.jobs.as_saved()
    left.jobs.end()
    back = Visit(pool, **saved)
    assert back.jobs.find("fit", back.callbacks) is job
    latch.open.set()
    assert back.outcome() == ("result", "through") and back.jobs.as_saved() == {}


def test_submitting_again_what_was_lost_saves_the_new_one(latch: Latch) -> None:
    visit = Visit(fit={"label": "simulate", "fraction": 0.4, "text": "step 400"})
    visit.submit(latch, name="fit")
    assert visit.jobs.as_saved() == {"fit": {"label": "Latch", "fraction": 0.0, "text": ""}}


def test_malformed_note_of_a_job_is_left_out() -> None:
    visit = Visit(one=None, two={"fraction": "far"}, three={"fraction": None})
    found = [visit.jobs.find(name, Callbacks()) for name in ("one", "two", "three")]
    assert [job and job.state for job in found] == [None, None, "lost"]


def test_process_finds_modules_beside_the_application_and_beside_the_function_first() -> None:
    here = str(Path(__file__).parents[3])
    assert Modules("/srv/app").path(partial(process_id))[:2] == ["/srv/app", here]
    assert Modules().path(process_id)[0] == here
    assert Modules().path(len) == sys.path
