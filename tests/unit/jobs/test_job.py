"""A job as the application sees it: its states, its watchers, its end."""

from __future__ import annotations

from app_server.jobs.job import Ending, Job
from app_server.jobs.state import JobState


class Noting:
    """A watcher that notes what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def progressed(self) -> None:
        self.said.append("progressed")

    def ended(self) -> None:
        self.said.append("ended")


def test_way_of_a_job_that_is_done() -> None:
    ended: list[str] = []
    job, watcher = Job("compute", "fit", on_end=lambda: ended.append("end")), Noting()
    job.watch(watcher)
    assert (job.state, job.name, job.label, job.over) == ("queued", "fit", "compute", False)
    assert job.begin() and job.state == "running"
    job.report(0.5, "half")
    assert (job.fraction, job.text) == (0.5, "half")
    assert job.end(Ending(JobState.DONE, 42))
    assert (job.state, job.result, job.error, job.over) == ("done", 42, None, True)
    assert watcher.said == ["progressed", "progressed", "ended"] and ended == ["end"]


def test_job_ends_once_and_what_comes_later_is_of_no_account() -> None:
    ended: list[str] = []
    job, watcher = Job("compute", on_end=lambda: ended.append("end")), Noting()
    job.begin()
    assert job.cancel() is True
    job.watch(watcher)
    assert job.cancel() is False and not job.end(Ending(JobState.DONE, 42)) and not job.begin()
    job.report(0.9, "late")
    assert (job.state, job.result, job.fraction, job.text) == ("cancelled", None, 0.0, "")
    assert watcher.said == ["ended"] and ended == ["end"]


def test_cancelling_what_is_done_withdraws_what_has_not_been_shown() -> None:
    job = Job("compute")
    job.end(Ending(JobState.DONE, 42))
    assert job.cancel() is False
    assert job.withdrawn and job.state == "done"


def test_watcher_that_has_gone_is_not_notified() -> None:
    job, watcher = Job("compute"), Noting()
    job.watch(watcher)
    assert job.watched
    job.unwatch(watcher)
    job.begin()
    assert not job.watched and watcher.said == []


def test_ended_job_lets_go_of_what_it_was_submitted_with() -> None:
    places = [3]
    job = Job("compute", ahead=lambda: places[0])
    assert job.ahead == 3
    job.begin()
    assert job.ahead == 0
    job.end(Ending(JobState.FAILED, error=ValueError("no")))
    assert isinstance(job.error, ValueError) and job.ahead == 0


def test_time_stands_still_when_it_has_ended() -> None:
    job = Job("compute")
    assert 0 <= job.seconds <= job.seconds
    job.end(Ending(JobState.CANCELLED))
    assert job.seconds == job.seconds


def test_job_shows_what_it_is() -> None:
    assert repr(Job("compute", "fit")) == "<Job 'fit' compute: queued>"
    assert repr(Job("compute", state=JobState.LOST)) == "<Job compute: lost>"
