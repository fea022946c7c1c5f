"""What a loop gives to executors is noted until those that wait for it have been told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app_server.testing.clock import ClockedLoop
from app_server.testing.jobs import Jobs
from tests.support.waiting import until


@pytest.fixture
def loop() -> Iterator[ClockedLoop]:
    made = ClockedLoop()
    yield made
    made.close()


def work() -> str:
    """A short job."""
    return "done"


def test_only_the_loops_own_jobs_are_noted_until_they_have_returned(loop: ClockedLoop) -> None:
    jobs, go_on = Jobs(loop), threading.Event()
    with jobs.noted(), ThreadPoolExecutor(2) as executor:
        executor.submit(go_on.wait)
        assert jobs.names == []
        loop.call_soon(executor.submit, go_on.wait)
        loop.go_round()
        assert jobs.names == ["Event.wait"]
        go_on.set()
        until(lambda: not jobs.names)


def test_awaiting_callback_has_been_told_when_a_job_is_over(loop: ClockedLoop) -> None:
    jobs = Jobs(loop)
    with jobs.noted(), ThreadPoolExecutor(4) as executor:
        for _ in range(200):
            task = loop.create_task(_result(loop, executor))
            while not task.done():
                loop.go_round()
                assert task.done() or jobs.names or not loop.is_idle, "it would be taken for one that waits for time"
            assert task.result() == "done"


async def _result(loop: ClockedLoop, executor: ThreadPoolExecutor) -> str:
    return await loop.run_in_executor(executor, work)


def test_forgotten_jobs_are_not_waited_for(loop: ClockedLoop) -> None:
    jobs, go_on = Jobs(loop), threading.Event()
    with jobs.noted(), ThreadPoolExecutor(1) as executor:
        loop.call_soon(executor.submit, go_on.wait)
        loop.go_round()
        jobs.forget()
        assert jobs.names == []
        go_on.set()


def test_executors_are_as_they_were_when_the_last_loop_has_ended(loop: ClockedLoop) -> None:
    stock = ThreadPoolExecutor.submit, Future._invoke_callbacks  # type: ignore[attr-defined]
    first, second = Jobs(loop).noted(), Jobs(loop).noted()
    first.__enter__()
    second.__enter__()
    assert ThreadPoolExecutor.submit is not stock[0]
    first.__exit__(None, None, None)
    assert ThreadPoolExecutor.submit is not stock[0]
    second.__exit__(None, None, None)
    assert (ThreadPoolExecutor.submit, Future._invoke_callbacks) == stock  # type: ignore[attr-defined]
