"""What runs with the document locked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app_server.engine.turns.queue import TurnQueue
from tests.support.servers.stage import Stage
from tests.unit.engine.making import holding


def locked(stage: Stage, function: Callable[[Any], Any]) -> Any:
    """The outcome of a locked call."""
    return stage.loop.run_until_complete(stage.queue.locked_calls.call(function))


def test_locked_call_has_its_result_and_its_exception(stage: Stage) -> None:
    async def later(document: Any) -> str:
        await asyncio.sleep(0.1)
        return f"{document is stage.document}"

    def fail(document: Any) -> None:
        raise ValueError("not now")

    assert locked(stage, lambda document: len(document.roots)) == 1
    assert locked(stage, later) == "True"
    with pytest.raises(ValueError, match="not now"):
        locked(stage, fail)


def test_locked_call_that_stops_an_iteration_says_so(stage: Stage) -> None:
    def fail(document: Any) -> None:
        raise StopIteration("none left")

    with pytest.raises(RuntimeError, match=r"^the function raised StopIteration$") as caught:
        locked(stage, fail)
    assert isinstance(caught.value.__cause__, StopIteration)


def test_locked_call_that_cannot_run_any_more_gives_none(stage: Stage, queue: TurnQueue) -> None:
    ran: list[Any] = []

    async def both() -> Any:
        queue.submit(holding(stage, []))
        call = asyncio.ensure_future(queue.locked_calls.call(ran.append))
        await asyncio.sleep(0.1)
        await stage.runtime.end(stage.session)
        return await call

    assert stage.loop.run_until_complete(both()) is None
    assert not ran


def test_locked_call_that_nobody_waits_for_any_more_runs_all_the_same(stage: Stage, queue: TurnQueue) -> None:
    ran: list[Any] = []

    async def leave() -> None:
        queue.submit(holding(stage, []))
        call = asyncio.ensure_future(queue.locked_calls.call(ran.append))
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.sleep(2)

    stage.loop.run_until_complete(leave())
    assert ran == [stage.document]
