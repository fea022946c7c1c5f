"""What a loop runs at the moment, as the report of a blocked loop names it."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app_server.engine.running import Job, Noted, Running
from app_server.session.naming import LogName
from tests.support.servers.stage import Stage

JOB = Job(LogName("/app, in the hook on_server_loaded", application="/app"))


def seen_by(running: Running, call: Callable[[Callable[[], None]], object]) -> LogName:
    """What runs, while the function runs that `call` is given."""
    found: list[LogName] = []
    call(lambda: found.append(running.name))
    (name,) = found
    return name


def of(stage: Stage) -> Running:
    """What the stage's loop runs."""
    return stage.runtime._loop.running


def test_turn_is_its_sessions(stage: Stage) -> None:
    name = seen_by(of(stage), lambda look: stage.queue.submit(lambda: stage.session.turn(look, "a click")))
    assert (str(name), name.application, name.session) == ("/app session one…", "/app", "one")


def test_awaited_callback_is_named(stage: Stage) -> None:
    def call(look: Callable[[], None]) -> None:
        async def run() -> None:
            await asyncio.sleep(0)
            look()

        stage.queue.submit(lambda: stage.session.turn(run, "a click"))
        stage.loop.run_for(0.01)

    assert str(seen_by(of(stage), call)) == "/app session one…, in a click"


def test_callback_that_waits_runs_nothing(stage: Stage) -> None:
    async def run() -> None:
        await asyncio.sleep(1)

    stage.queue.submit(lambda: stage.session.turn(run, "a click"))
    stage.loop.run_for(0.5)
    assert str(of(stage).name) == "no session's turn" and not of(stage).stack


def test_build_and_hooks_are_their_applications(stage: Stage) -> None:
    def build(look: Callable[[], None]) -> None:
        stage.runtime.application._function = lambda document: look()  # type: ignore[attr-defined]
        stage.loop.run_until_complete(stage.runtime.session("a-long-session-id", None, {}))

    name = seen_by(of(stage), build)
    assert str(name) == "/app session a-long-s…, which is being built" and name.session == "a-long-session-id"
    hook = seen_by(
        of(stage), lambda look: stage.loop.run_until_complete(stage.runtime._call_hook(look, "on_server_loaded"))
    )
    assert str(hook) == "/app, in the hook on_server_loaded" and hook.session == ""


def test_anything_else_is_nobodys() -> None:
    running = Running()
    assert str(seen_by(running, lambda look: look())) == "no session's turn"


async def test_result_and_exception_of_what_is_awaited_come_through() -> None:
    running = Running()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    assert await Noted(running, JOB, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="^no$"):
        await Noted(running, JOB, fail())
    assert not running.stack


async def test_awaited_future_and_generator_are_taken_too() -> None:
    @types.coroutine
    def old_style() -> Iterator[Any]:
        yield from asyncio.sleep(0).__await__()
        return "old"

    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 5)
    assert await Noted(Running(), JOB, future) == 5
    assert await Noted(Running(), JOB, old_style()) == "old"  # type: ignore[arg-type]


async def test_cancellation_reaches_what_is_awaited() -> None:
    order: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            order.append("cancelled")
            raise

    async def run() -> None:
        await Noted(Running(), JOB, wait())

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert order == ["cancelled"]
