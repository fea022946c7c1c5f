"""Which job runs, which waits, and which is refused."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app_server.jobs.errors import JobsFull, JobTimeout
from app_server.jobs.running import pool as pools
from app_server.jobs.running.pool import JobCount, JobLimits, JobPool
from app_server.observe.gauges import ApplicationGauges
from tests.support.waiting import until
from tests.unit.jobs.making import Latch, Visit, fails, forever, in_steps, look_until_cancelled, small_pool


@pytest.fixture
def latches() -> Iterator[list[Latch]]:
    made = [Latch() for _ in range(8)]
    yield made
    for latch in made:
        latch.open.set()


def begun(latches: list[Latch]) -> list[int]:
    """Which of these have begun."""
    return [number for number, latch in enumerate(latches) if latch.begun.is_set()]


def test_as_many_run_as_there_are_places_and_the_others_wait_in_order(latches: list[Latch]) -> None:
    visit = Visit(small_pool(2))
    jobs = [visit.submit(latch) for latch in latches[:4]]
    until(lambda: begun(latches) == [0, 1], "two have begun")
    assert [job.state for job in jobs] == ["running", "running", "queued", "queued"]
    assert [job.ahead for job in jobs] == [0, 0, 0, 1]
    assert visit.pool.count("/app") == JobCount(2, 2) and visit.pool.count("/other") == JobCount(0, 0)
    latches[1].open.set()
    until(lambda: begun(latches) == [0, 1, 2], "the third has begun")


def test_next_is_who_has_the_fewest_running(latches: list[Latch]) -> None:
    pool = small_pool(2)
    greedy, modest = Visit(pool, "greedy"), Visit(pool, "modest")
    for latch in latches[:4]:
        greedy.submit(latch)
    modest.submit(latches[4])
    until(lambda: begun(latches) == [0, 1], "two have begun")
    latches[0].open.set()
    until(lambda: begun(latches) == [0, 1, 4], "the other visitor's has begun before the third and the fourth")


def test_more_than_may_be_queued_are_refused(latches: list[Latch]) -> None:
    visit = Visit(small_pool(1, queued=1))
    visit.submit(latches[0])
    visit.submit(latches[1])
    with pytest.raises(JobsFull) as caught:
        visit.submit(latches[2])
    assert str(caught.value) == (
        "Latch: the server is busy with other jobs: 1 running, 1 queued. Try again later."
        " The limits are --max-jobs and --max-queued-jobs"
    )
    latches[0].open.set()
    until(lambda: begun(latches) == [0, 1], "there is room again")
    visit.submit(latches[2])


def test_with_no_queue_only_what_begins_at_once_is_taken(latches: list[Latch]) -> None:
    visit = Visit(small_pool(1, queued=0))
    visit.submit(latches[0])
    with pytest.raises(JobsFull):
        visit.submit(latches[1])


def test_user_who_has_enough_jobs_gets_no_more_and_others_do(latches: list[Latch]) -> None:
    pool = small_pool(1, user=2)
    ada, adas_other_page, bob = Visit(pool, "one", "ada"), Visit(pool, "two", "ada"), Visit(pool, "three", "bob")
    ada.submit(latches[0])
    job = adas_other_page.submit(latches[1])
    with pytest.raises(JobsFull) as caught:
        ada.submit(latches[2])
    assert str(caught.value) == "Latch: you have 2 jobs already. Cancel one, or wait. The limit is --max-jobs-per-user"
    bob.submit(latches[3])
    job.cancel()
    ada.submit(latches[2])


def test_user_whose_cancelled_jobs_go_on_gets_no_more(latches: list[Latch]) -> None:
    visit = Visit(small_pool(2, user=1))
    job = visit.submit(latches[0])
    until(latches[0].begun.is_set, "it runs")
    job.cancel()
    with pytest.raises(JobsFull):
        visit.submit(latches[1])
    latches[0].open.set()
    until(lambda: visit.pool.count("/app") == JobCount(0, 0), "it has ended")
    visit.submit(latches[1])


def test_failure_that_no_session_is_there_for_is_logged(latches: list[Latch], caplog: pytest.LogCaptureFixture) -> None:
    visit = Visit()

    def fail_later() -> None:
        latches[0]()
        raise ValueError("no such town")

    job = visit.submit(fail_later, name="fit")
    visit.jobs.end()
    latches[0].open.set()
    until(lambda: caplog.messages, "it has failed")
    assert job.state == "failed"
    assert caplog.messages == ["/app: the job fit failed, and no session is there for it"]
    assert "ValueError: no such town" in caplog.text


def test_jobs_in_executors_take_no_place_but_are_bounded_too(latches: list[Latch]) -> None:
    visit = Visit(small_pool(1, queued=1))
    with ThreadPoolExecutor(4) as executor:
        for latch in latches[:2]:
            visit.submit(latch, where=executor)
        visit.submit(latches[2])
        until(lambda: begun(latches) == [0, 1, 2], "all have begun")
        assert visit.pool.count("/app") == JobCount(3, 0)
        with pytest.raises(JobsFull):
            visit.submit(latches[3], where=executor)
        for latch in latches:
            latch.open.set()
        until(lambda: visit.pool.count("/app") == JobCount(0, 0), "all have ended")


def test_job_that_takes_too_long_fails_and_its_thread_is_asked_to_end() -> None:
    visit, noted = Visit(), list[bool]()
    job = visit.submit(look_until_cancelled, noted, timeout_s=0.3)
    kind, error = visit.outcome()
    assert kind == "error" and isinstance(error, JobTimeout)
    assert str(error) == "look_until_cancelled: took longer than its timeout_s (0.3 s)"
    until(lambda: noted, "the thread has left")
    assert job.state == "failed"


def test_process_that_takes_too_long_is_killed() -> None:
    visit = Visit()
    visit.submit(forever, where="process", timeout_s=0.02)
    assert str(visit.outcome()[1]) == "forever: took longer than its timeout_s (0.02 s)"
    until(lambda: visit.pool.count("/app") == JobCount(0, 0), "its process has ended")


def test_process_of_a_job_that_never_ends_is_killed_when_it_is_cancelled() -> None:
    visit = Visit(small_pool(1))
    job = visit.submit(forever, where="process")
    until(lambda: job.state == "running", "it runs")
    assert job.cancel()
    visit.submit(in_steps, 1)  # there is one place
    visit.wait(lambda: ("result", 1) in visit.said, "the place is free again")
    assert visit.said[0] == ("cancel",)


def test_thread_that_never_looks_is_reported_and_keeps_its_place(
    latches: list[Latch], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_STUCK_S", 0.01)
    visit = Visit(small_pool(1))
    job = visit.submit(latches[0])
    until(latches[0].begun.is_set, "it runs")
    with caplog.at_level(logging.WARNING):
        job.cancel()
        until(lambda: caplog.messages, "it is reported")
    assert caplog.messages == [
        "/app: the job Latch was cancelled 0.01 s ago and goes on: it calls neither progress() nor cancelled(). It"
        ' takes one of the 1 places of --max-jobs. Submit it with where="process"'
    ]
    assert job.state == "cancelled" and visit.pool.count("/app") == JobCount(1, 0)


def test_thread_that_goes_on_after_its_time_is_reported_too(
    latches: list[Latch], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_STUCK_S", 0.01)
    visit = Visit(small_pool(1))
    with caplog.at_level(logging.WARNING):
        visit.submit(latches[0], timeout_s=0.3)
        until(lambda: caplog.messages, "it is reported")
    assert caplog.messages[0].startswith("/app: the job Latch timed out 0.01 s ago and goes on: ")


def test_all_jobs_of_an_application_are_cancelled(latches: list[Latch]) -> None:
    visit = Visit(small_pool(1))
    jobs = [visit.submit(latch) for latch in latches[:3]]
    visit.pool.cancel_all("/other")
    assert not any(job.over for job in jobs)
    visit.pool.cancel_all("/app")
    assert [job.state for job in jobs] == ["cancelled"] * 3


def test_what_becomes_of_jobs_is_counted_by_application(latches: list[Latch]) -> None:
    gauges = {"/app": ApplicationGauges()}
    visit = Visit(JobPool(JobLimits(1, 1), gauges.__getitem__))
    for function, args in ((in_steps, (1,)), (fails, ())):
        before = len(visit.said)
        visit.submit(function, *args)
        visit.wait(lambda before=before: any(kind != "progress" for kind, *_ in visit.said[before:]), "it has ended")
    visit.submit(latches[0])
    visit.submit(latches[1]).cancel()
    visit.submit(latches[2])
    with pytest.raises(JobsFull):
        visit.submit(latches[3])
    counted = gauges["/app"].snapshot()
    assert counted["jobs"] == {"done": 1, "failed": 1, "cancelled": 1, "refused": 1}
    assert {type(name) for name in counted["jobs"]} == {str}, "it travels as JSON"
    assert sum(counted["job"]["counts"]) == 3


class Large:
    """An argument that takes much memory."""


@pytest.mark.parametrize("timeout_s", [None, 1000])
def test_arguments_of_a_job_that_has_ended_are_free_although_the_job_is_kept(timeout_s: float | None) -> None:
    visit, large = Visit(), Large()
    free = weakref.ref(large)
    job = visit.submit(len, [large], timeout_s=timeout_s)
    del large
    assert visit.outcome() == ("result", 1)
    until(lambda: gc.collect() is not None and free() is None, "it is free")
    assert job.result == 1


def test_a_thousand_jobs_of_many_sessions_all_come_back_and_leave_no_thread() -> None:
    pool, threads = small_pool(4, queued=1000), threading.active_count()
    visits = [Visit(pool, str(number)) for number in range(20)]
    for number in range(1000):
        visits[number % 20].submit(len, range(number), name=f"job {number}")
    for number, visit in enumerate(visits):
        visit.wait(lambda visit=visit: sum(kind == "result" for kind, *_ in visit.said) == 50, "all have come back")
        assert sorted(value for kind, value, *_ in visit.said if kind == "result") == list(range(number, 1000, 20))
        visit.jobs.end()
    until(lambda: pool.count("/app") == JobCount(0, 0), "all threads have been left")
    until(lambda: threading.active_count() <= threads + 1, "one thread is left, which forgets the results")
