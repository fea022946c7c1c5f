"""Jobs in executors of the application's own."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from app_server.jobs.errors import JobError
from app_server.jobs.job import Ending
from app_server.jobs.running.executors import ExecutorRunner
from app_server.jobs.work import Work
from tests.support.waiting import until
from tests.unit.jobs.making import Latch, Visit, fails, in_steps, look_until_cancelled, process_id
from tests.unit.jobs.test_reporting import Noting


def test_failure_in_an_executor_comes_back() -> None:
    visit = Visit()
    with ThreadPoolExecutor(1) as executor:
        visit.submit(fails, where=executor)
        assert str(visit.outcome()[1]) == "no such town"


def test_what_waits_in_an_executor_is_cancelled_there_and_what_runs_is_asked_to_end() -> None:
    visit, latch, noted = Visit(), Latch(), list[bool]()
    begun = threading.Event()

    def look() -> None:
        begun.set()
        look_until_cancelled(noted)

    with ThreadPoolExecutor(1) as executor:
        running = visit.submit(look, where=executor)
        waiting = visit.submit(latch, where=executor)
        until(begun.is_set, "the first one runs")
        assert waiting.cancel() and running.cancel()
    assert noted == [True] and not latch.begun.is_set()
    assert visit.pool.count("/app").running == 0


def test_executor_that_was_shut_down_is_refused_with_its_reason() -> None:
    visit, executor = Visit(), ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(JobError) as caught:
        visit.submit(fails, where=executor)
    assert str(caught.value) == "fails: the executor has refused it: cannot schedule new futures after shutdown"
    assert visit.pool.count("/app").running == 0 and visit.said == []


class Careless:
    """An executor whose `submit` returns no future."""

    def submit(self, function: Any) -> None: ...


def test_executor_that_returns_something_else_is_refused_with_its_reason() -> None:
    visit = Visit()
    with pytest.raises(JobError) as caught:
        visit.submit(fails, where=Careless())
    assert str(caught.value) == "fails: the executor has returned None, not a future"
    assert visit.pool.count("/app").running == 0 and visit.said == []


class Whimsical:
    """An executor that cancels what it was given, as a cluster does that goes away."""

    def submit(self, function: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_what_an_executor_cancels_is_cancelled() -> None:
    visit = Visit()
    job = visit.submit(in_steps, 1, where=Whimsical())
    assert visit.outcome() == ("cancel",) and job.state == "cancelled"


def test_process_pool_runs_functions_that_it_cannot_import() -> None:
    visit = Visit()
    module = type(os)("bokeh_app_0123456789abcdef")  # as a script's is
    exec("import os\nfactor = 3\ndef triple(n):\n    return factor * n, os.getpid()", module.__dict__)
    with (
        pytest.MonkeyPatch.context() as patch,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
    ):
        patch.setitem(__import__("sys").modules, module.__name__, module)
        visit.submit(module.triple, 14, where=executor)
        kind, value = visit.outcome()
        assert (kind, value[0]) == ("result", 42) and value[1] != os.getpid()
        visit.submit(process_id, where=executor)
        visit.wait(lambda: visit.said[-1] == ("result", value[1]), "the same process has done it")


def test_job_in_an_executor_that_takes_too_long_fails() -> None:
    visit, noted = Visit(), list[bool]()
    with ThreadPoolExecutor(1) as executor:
        visit.submit(look_until_cancelled, noted, where=executor, timeout_s=0.3)
        assert str(visit.outcome()[1]) == "look_until_cancelled: took longer than its timeout_s (0.3 s)"
        until(lambda: noted, "its thread has left")


def test_function_is_left_once_whether_it_was_called_refused_or_never_begun() -> None:
    left: list[str] = []
    with ThreadPoolExecutor(1) as executor:
        runner = ExecutorRunner(executor, Work(in_steps, (1,), {}), lambda: left.append("called"))
        ended: list[Ending] = []
        runner.begin(Noting(), ended.append)
        until(lambda: ended, "it has ended")
        runner.stop()
    refused = ExecutorRunner(executor, Work(in_steps, (1,), {}), lambda: left.append("refused"))
    with pytest.raises(JobError):
        refused.begin(Noting(), ended.append)
    refused.stop()
    never = ExecutorRunner(executor, Work(in_steps, (1,), {}), lambda: left.append("never begun"))
    never.stop()
    never.stop()
    assert left == ["called", "refused", "never begun"]
