"""Jobs in a cluster of dask.distributed that lives in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import until
from tests.unit.jobs.making import Visit, fails, in_steps, until_cancelled


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A client of it."""
    loggers = [logging.getLogger(name) for name in ("tornado", "tornado.application")]
    levels = [logger.level for logger in loggers]
    from distributed import Client, LocalCluster

    # The import has silenced them, also for the tests that follow.
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, scheduler_port=0
        ) as made,
        Client(made) as client,
    ):
        yield client


def test_progress_result_and_failure_come_back(cluster: Any) -> None:
    visit = Visit()
    visit.submit(in_steps, 3, where=cluster)
    assert visit.outcome() == ("result", 3) and ("progress", 1.0, "step 3") in visit.said
    visit.submit(fails, where=cluster)
    visit.wait(lambda: visit.said[-1][0] == "error", "it has failed")
    assert str(visit.said[-1][1]) == "no such town"


def test_same_work_twice_is_done_twice(cluster: Any) -> None:
    visit = Visit()
    one, other = (visit.submit(in_steps, 3, where=cluster) for _ in range(2))
    one.cancel()
    visit.wait(lambda: ("result", 3) in visit.said, "the other one is done")
    assert other.state == "done" and one.state in ("cancelled", "done")


def test_what_runs_in_the_cluster_notices_that_it_was_cancelled(cluster: Any) -> None:
    visit = Visit()
    job = visit.submit(until_cancelled, [], where=cluster)
    visit.wait(lambda: ("progress", 0.5, "on and on") in visit.said, "it runs")
    job.cancel()
    assert visit.outcome() == ("cancel",)
    until(lambda: not cluster.processing() or not any(cluster.processing().values()), "its worker is free")


def test_what_was_cancelled_before_it_began_is_not_done(cluster: Any) -> None:
    visit = Visit()
    visit.submit(until_cancelled, [], where=cluster).cancel()
    assert visit.outcome() == ("cancel",)
    until(lambda: visit.pool.count("/app").running == 0, "none is running")


def test_function_of_a_script_is_sent_there(cluster: Any) -> None:
    visit = Visit()
    module = type(pytest)("bokeh_app_00112233445566")
    exec("factor = 3\ndef triple(n):\n    return factor * n", module.__dict__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, module.__name__, module)
        visit.submit(module.triple, 14, where=cluster)
        assert visit.outcome() == ("result", 42)
