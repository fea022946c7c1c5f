"""A function with its arguments, on its way."""

from __future__ import annotations

import pickle

import pytest

from app_server.jobs.errors import JobCancelled
from app_server.jobs.work import Work, forget, reach
from tests.unit.jobs.making import in_steps
from tests.unit.jobs.test_reporting import Noting


def test_work_reaches_its_job_in_this_process_until_it_is_forgotten() -> None:
    work, noting = Work(in_steps, (2,), {}), Noting()
    reach(work, noting)
    assert work() == 2
    forget(work)
    with pytest.raises(JobCancelled):
        work()
    assert noting.said == [(0.5, "step 1"), (1.0, "step 2")]


def test_work_that_was_pickled_finds_its_job_if_it_comes_back_to_its_process() -> None:
    work, noting = Work(in_steps, (), {"steps": 1}), Noting()
    reach(work, noting)
    again = pickle.loads(pickle.dumps(work))
    assert again() == 1 and noting.said == [(1.0, "step 1")]
    forget(work)
    with pytest.raises(JobCancelled):
        again()


def test_work_in_another_process_reports_nowhere() -> None:
    assert Work(in_steps, (1,), {}, "its key", process=0)() == 1


def test_two_pieces_of_work_are_never_the_same_to_an_executor() -> None:
    assert Work(in_steps, (2,), {}).key != Work(in_steps, (2,), {}).key
