"""What a loop gives to executors is noted until those that wait for it have been told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app_server.testing.clock import ClockedLoop
from app_server.testing.executors import ExecutorCalls
from tests.support.waiting import until


@pytest.fixture
def loop() -> Iterator[ClockedLoop]:
    made = ClockedLoop()
    yield made
    made.close()


def work() -> str:
    """A short call."""
    return "done"


def test_only_the_loops_own_calls_are_noted_until_they_have_returned(loop: ClockedLoop) -> None:
    calls, go_on = ExecutorCalls(loop), threading.Event()
    with calls.noted(), ThreadPoolExecutor(2) as executor:
        executor.submit(go_on.wait)
        assert calls.names == []
        loop.call_soon(executor.submit, go_on.wait)
        loop.go_round()
        assert calls.names == ["Event.wait"]
        go_on.set()
        until(lambda: not calls.names)


def test_awaiting_callback_has_been_told_when_a_call_is_over(loop: ClockedLoop) -> None:
    calls = ExecutorCalls(loop)
    with calls.noted(), ThreadPoolExecutor(4) as executor:
        for _ in range(200):
            task = loop.create_task(_result(loop, executor))
            while not task.done():
                loop.go_round()
                assert task.done() or calls.names or not loop.is_idle, "it would be taken for one that waits for time"
            assert task.result() == "done"


async def _result(loop: ClockedLoop, executor: ThreadPoolExecutor) -> str:
    return await loop.run_in_executor(executor, work)


def test_forgotten_calls_are_not_waited_for(loop: ClockedLoop) -> None:
    calls, go_on = ExecutorCalls(loop), threading.Event()
    with calls.noted(), ThreadPoolExecutor(1) as executor:
        loop.call_soon(executor.submit, go_on.wait)
        loop.go_round()
        calls.forget()
        assert calls.names == []
        go_on.set()


def test_executors_are_as_they_were_when_the_last_loop_has_ended(loop: ClockedLoop) -> None:
    stock = ThreadPoolExecutor.submit, Future._invoke_callbacks  # type: ignore[attr-defined]
    first, second = ExecutorCalls(loop).noted(), ExecutorCalls(loop).noted()
    first.__enter__()
    second.__enter__()
    assert ThreadPoolExecutor.submit is not stock[0]
    first.__exit__(None, None, None)
    assert ThreadPoolExecutor.submit is not stock[0]
    second.__exit__(None, None, None)
    assert (ThreadPoolExecutor.submit, Future._invoke_callbacks) == stock  # type: ignore[attr-defined]
