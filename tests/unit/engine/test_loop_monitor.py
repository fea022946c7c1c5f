"""How late a loop comes, and whose code has held it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from bokeh.models import Div

from app_server.engine.loop_monitor import LoopMonitor, whose_turn
from app_server.observe.gauges import LoopGauges
from tests.support.servers.stage import Stage, staged
from tests.support.waiting import patience


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(name="text"))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill) as played:
        yield played


def seen_by(call: Callable[[Callable[[], None]], object]) -> Any:
    """What is said of the frame in which the function runs that `call` is given."""
    found: list[Any] = []

    def look() -> None:
        frame: FrameType | None = sys._getframe()
        assert frame is not None
        found.append(whose_turn(frame))

    call(look)
    (name,) = found
    return name


def test_turn_is_its_sessions(stage: Stage) -> None:
    queue = stage.runtime._queues["one"]
    name = seen_by(lambda look: queue.submit(lambda: stage.session.turn(look, "a click")))
    assert (str(name), name.application, name.session) == ("/app session one…", "/app", "one")


def test_awaited_callback_is_named(stage: Stage) -> None:
    def call(look: Callable[[], None]) -> None:
        async def run() -> None:
            await asyncio.sleep(0)
            look()

        stage.runtime._queues["one"].submit(lambda: stage.session.turn(run, "a click"))
        stage.loop.run_for(0.01)

    assert str(seen_by(call)) == "/app session one…, in a click"


def test_build_and_hooks_are_their_applications(stage: Stage) -> None:
    def build(look: Callable[[], None]) -> None:
        stage.runtime.application._function = lambda document: look()  # type: ignore[attr-defined]
        stage.loop.run_until_complete(stage.runtime.session("a-long-session-id", None, {}))

    name = seen_by(build)
    assert str(name) == "/app session a-long-s…, which is being built" and name.session == "a-long-session-id"
    hook = seen_by(lambda look: stage.loop.run_until_complete(stage.runtime._guarded(look, "on_server_loaded")))
    assert str(hook) == "/app, in the hook on_server_loaded" and hook.session == ""


def test_anything_else_is_nobodys() -> None:
    assert str(seen_by(lambda look: look())) == "no session's turn"


async def test_lag_is_measured_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    gauges = LoopGauges()
    monkeypatch.setattr("app_server.engine.loop_monitor._BEAT_S", 0.001)
    running = asyncio.create_task(LoopMonitor(gauges, 0.0).run())
    while sum(gauges.lag.counts) < 3:
        await asyncio.sleep(0.001)
    running.cancel()
    assert gauges.blocks == 0 and gauges.last_s > 0


async def test_loop_that_stands_still_is_said_twice_while_it_does_and_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    gauges, limit_s = LoopGauges(), patience(0.1)  # longer than a busy machine takes a thread's processor away
    running = asyncio.create_task(LoopMonitor(gauges, limit_s).run())
    await asyncio.sleep(0.02)
    deadline_s = time.monotonic() + patience(5)
    while not caplog.messages and time.monotonic() < deadline_s:
        time.sleep(0.005)  # this is what holds the loop, until the watchdog has seen it
    async with asyncio.timeout(patience(5)):
        while len(caplog.messages) < 2:
            await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.wait([running])
    blocked, goes_on = caplog.messages
    assert blocked.startswith("The loop has been blocked for ") and "by no session's turn. What it does:\n" in blocked
    assert "test_loop_monitor.py" in blocked
    assert goes_on.startswith("The loop goes on; it was blocked for ")
    assert gauges.blocks == 1 and gauges.blocked_s > limit_s


def test_loop_that_no_thread_could_look_at_is_said_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    gauges = LoopGauges()
    heartbeat = LoopMonitor(gauges, 10.0)
    heartbeat._came_round(9.9, 1.0)
    assert caplog.messages == []
    heartbeat._came_round(12.5, 2.0)
    assert caplog.messages == [
        "The loop came round 12.5 s late, and no thread could look meanwhile: the process was stopped, or what"
        " ran held Python's lock"
    ]
    assert gauges.blocks == 1 and gauges.blocked_s == 12.5
