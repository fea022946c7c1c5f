"""`pn.state.schedule_task`: names, times and faults of tasks, with Panel itself."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from app_server.guests import guest_for
from app_server.guests.tasks import OwnTasks, TaskSchedule
from tests.support.waiting import until

pn: Any
scheduling: Any


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn, scheduling
    guest_for({"panel"})
    pn = importlib.import_module("panel")
    scheduling = importlib.import_module("app_server.guests.scheduling")


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> TaskSchedule:
    """The tasks of this test."""
    own = TaskSchedule()
    monkeypatch.setattr(scheduling, "TASKS", own)
    return own


@pytest.fixture(autouse=True)
def running(tasks: TaskSchedule) -> list[Callable[[], None]]:
    """A server's loop: what is to be called, in the order in which it was asked for."""
    calls: list[Callable[[], None]] = []
    tasks.begin(lambda delay_s, call: calls.append(call), OwnTasks())
    return calls


def report() -> None:
    """A task."""


def test_panels_functions_are_ours(tasks: TaskSchedule) -> None:
    pn.state.schedule_task("report", report, period="1h")
    task = tasks.get("report")
    assert task is not None and task.callback is report
    pn.state.cancel_task("report")
    assert tasks.get("report") is None
    with pytest.raises(KeyError, match="no task is scheduled under the name 'report'"):
        pn.state.cancel_task("report")


def test_same_task_is_scheduled_once(tasks: TaskSchedule, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        scheduling.schedule_task("report", report, period="1h")
    first = tasks.get("report")
    assert caplog.messages == []
    scheduling.schedule_task("report", print, period="1h")
    assert tasks.get("report") is first
    assert caplog.messages == [
        "Task report is scheduled already; the new one is ignored. Call pn.state.cancel_task('report') first"
    ]


def test_function_of_a_session_is_refused() -> None:
    def own() -> None: ...

    own.__module__ = "bokeh_app_1234"
    for callback in (own, partial(partial(own))):
        with pytest.raises(RuntimeError, match="would outlive the session whose script defines it"):
            scheduling.schedule_task("own", callback, period="1h")


async def test_panels_own_work_stays_with_panel(tasks: TaskSchedule) -> None:
    done = asyncio.Event()

    def work() -> None:
        done.set()

    work.__module__ = "panel.io.document"
    pn.state.schedule_task("gc.collect", work, at=datetime(2026, 1, 1))
    assert tasks.get("gc.collect") is None
    await asyncio.wait_for(done.wait(), 10)


def test_period_that_is_none() -> None:
    with pytest.raises(ValueError, match="the period 'often' is none such as 30s, 5m, 1h, 1d or 1w"):
        scheduling.schedule_task("report", report, period="often")


def test_fault_of_a_task_is_logged(running: list[Callable[[], None]], caplog: pytest.LogCaptureFixture) -> None:
    def faulty() -> None:
        raise ZeroDivisionError("no")

    scheduling.schedule_task("faulty", faulty, at=datetime(2026, 1, 1))
    running.pop(0)()
    assert caplog.messages == ["Task faulty raised an exception"]
    assert caplog.records[0].exc_info is not None and caplog.records[0].exc_info[0] is ZeroDivisionError


async def test_coroutine_runs_in_the_loop(running: list[Callable[[], None]], caplog: pytest.LogCaptureFixture) -> None:
    done = asyncio.Event()

    async def report_and_fail() -> None:
        done.set()
        raise ZeroDivisionError("no")

    scheduling.schedule_task("async", report_and_fail, at=datetime(2026, 1, 1))
    running.pop(0)()
    await asyncio.wait_for(done.wait(), 10)
    await asyncio.sleep(0)
    assert caplog.messages == ["Task async raised an exception"]


def test_thread_needs_threads_to_be_allowed(
    running: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    names: list[str] = []

    def threaded() -> None:
        names.append(threading.current_thread().name)
        done.set()

    scheduling.schedule_task("threaded", threaded, at=datetime(2026, 1, 1), threaded=True)
    running.pop(0)()
    assert caplog.messages == ["Task threaded cannot be run"]
    guest_for({"panel"}).use_threads(1)
    try:
        scheduling.schedule_task("threaded", threaded, at=datetime(2026, 1, 1), threaded=True)
        running.pop(0)()
        assert done.wait(10)
        assert names != [threading.current_thread().name]
    finally:
        pn.config.nthreads = None


def test_task_that_hangs_takes_one_thread(
    running: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    begun, end = threading.Semaphore(0), threading.Event()

    def hangs() -> None:
        begun.release()
        end.wait(10)

    guest_for({"panel"}).use_threads(2)
    pool = pn.state._thread_pool
    try:
        runs = scheduling.TaskRuns("hangs", hangs, threaded=True)
        for _ in range(3):
            runs.begin()
        assert begun.acquire(timeout=10)
        assert pool.submit(str, 7).result(timeout=10) == "7"
        assert caplog.messages == ["Task hangs still runs at its next time: it is not run again until that has ended"]
        end.set()
        until(lambda: runs.begin() is None and begun.acquire(timeout=0.01), what="the task to run again")
    finally:
        end.set()
        pn.config.nthreads = None


async def test_object_with_an_async_call_runs_in_the_loop(running: list[Callable[[], None]]) -> None:
    done = asyncio.Event()

    class Report:
        async def __call__(self) -> None:
            done.set()

    scheduling.schedule_task("report", Report(), at=datetime(2026, 1, 1))
    running.pop(0)()
    await asyncio.wait_for(done.wait(), 10)


@pytest.mark.parametrize(
    ("callback", "times", "message"),
    [
        (5, {"period": "1h"}, "task 'wrong' needs a function, not 5"),
        (report, {"at": "noon"}, "at must be a datetime, datetimes one after another, or a function, not 'noon'"),
        (report, {"period": 5}, "the period 5 is none such as 30s, 5m, 1h, 1d or 1w"),
        (report, {"period": "99999999999w"}, "the period '99999999999w' is none such as 30s, 5m, 1h, 1d or 1w"),
    ],
)
def test_mistakes_are_named_when_the_task_is_scheduled(callback: Any, times: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        scheduling.schedule_task("wrong", callback, **times)
    assert str(caught.value) == message
