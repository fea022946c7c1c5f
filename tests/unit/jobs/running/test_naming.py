"""How long named jobs are kept."""

from __future__ import annotations

from app_server.jobs.job import Ending, Job
from app_server.jobs.running import naming
from app_server.jobs.running.naming import NamedJobs
from app_server.jobs.state import JobState
from tests.support.waiting import until
from tests.unit.jobs.test_job import Noting

KEY = "/app", "one", "fit"


def test_job_without_a_session_is_cancelled_when_its_time_is_up() -> None:
    named, job = NamedJobs(), Job("compute", "fit")
    named.add(KEY, job, keep_s=0.01)
    assert named.find(KEY) is job
    named.leave(KEY)
    until(lambda: job.over, "it is cancelled")
    assert job.state == "cancelled" and named.find(KEY) is None


def test_result_is_kept_for_its_time() -> None:
    named, job = NamedJobs(), Job("compute", "fit")
    named.add(KEY, job, keep_s=0.01)
    job.end(Ending(JobState.DONE, 42))
    named.leave(KEY)
    until(lambda: named.find(KEY) is None, "it is forgotten")
    assert job.state == "done"


def test_job_that_is_watched_again_goes_on() -> None:
    named, job, other = NamedJobs(), Job("compute", "fit"), Job("compute", "other")
    named.add(KEY, job, keep_s=0.01)
    named.add((*KEY[:2], "other"), other, keep_s=0.02)
    job.watch(Noting())
    named.leave(KEY)
    named.leave((*KEY[:2], "other"))
    until(lambda: other.over, "the time of both is up")
    assert named.find(KEY) is job and not job.over


def test_job_that_took_the_name_of_an_ended_one_is_not_ended_by_its_timer() -> None:
    named, first, second = NamedJobs(), Job("compute", "fit"), Job("compute", "fit")
    named.add(KEY, first, keep_s=0.01)
    first.cancel()
    named.leave(KEY)
    named.add(KEY, second, keep_s=100)
    third = Job("compute", "third")
    named.add((*KEY[:2], "third"), third, keep_s=0.02)
    named.leave((*KEY[:2], "third"))
    until(lambda: third.over, "the time of the first is up")
    assert named.find(KEY) is second and not second.over


def test_leaving_what_is_not_there_does_nothing() -> None:
    named = NamedJobs()
    named.leave(KEY)
    assert named.find(KEY) is None and named._timer is None


def test_job_that_is_dropped_is_found_no_more_unless_another_has_its_name() -> None:
    named, job, other = NamedJobs(), Job("compute", "fit"), Job("compute", "fit")
    named.add(KEY, job, keep_s=100)
    named.drop(KEY, other)
    assert named.find(KEY) is job
    named.drop(KEY, job)
    assert named.find(KEY) is None and not job.over


def test_of_ended_jobs_only_so_many_are_kept() -> None:
    named = NamedJobs()
    for number in range(naming._MOST + 2):
        job = Job("compute", str(number))
        job.end(Ending(JobState.DONE, number))
        named.add((*KEY[:2], str(number)), job, keep_s=100)
    kept = [number for number in range(naming._MOST + 2) if named.find((*KEY[:2], str(number))) is not None]
    assert kept == list(range(2, naming._MOST + 2))
