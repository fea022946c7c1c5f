"""How late a loop comes round, and what is logged about a loop that is blocked."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from app_server.engine.loop_monitor import LoopMonitor
from app_server.engine.running import Job, Running
from app_server.observe.gauges import LoopGauges
from app_server.session.naming import LogName
from tests.support.waiting import patience


async def test_lag_is_measured_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    gauges = LoopGauges()
    monkeypatch.setattr("app_server.engine.loop_monitor._BEAT_S", 0.001)
    running = asyncio.create_task(LoopMonitor(gauges, Running(), 0.0).run())
    while sum(gauges.lag.counts) < 3:
        await asyncio.sleep(0.001)
    running.cancel()
    assert gauges.blocks == 0 and gauges.last_s > 0


async def test_loop_that_stands_still_is_said_twice_while_it_does_and_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    gauges, limit_s = LoopGauges(), patience(0.1)  # longer than a busy machine takes a thread's processor away
    running = Running()
    monitoring = asyncio.create_task(LoopMonitor(gauges, running, limit_s).run())
    await asyncio.sleep(0.02)
    running.stack.append(Job(LogName("/app session one…", application="/app")))
    deadline_s = time.monotonic() + patience(5)
    while not caplog.messages and time.monotonic() < deadline_s:
        time.sleep(0.005)  # this is what holds the loop, until the watchdog has seen it
    async with asyncio.timeout(patience(5)):
        while len(caplog.messages) < 2:
            await asyncio.sleep(0.005)
    monitoring.cancel()
    await asyncio.wait([monitoring])
    blocked, goes_on = caplog.messages
    assert blocked.startswith("The event loop has been blocked for ")
    assert " by /app session one…; it serves no client meanwhile. Stack of its thread:\n" in blocked
    assert "test_loop_monitor.py" in blocked
    assert goes_on.startswith("The event loop runs again; it was blocked for ")
    assert gauges.blocks == 1 and gauges.blocked_s > limit_s


def test_loop_that_no_thread_could_look_at_is_said_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    gauges = LoopGauges()
    heartbeat = LoopMonitor(gauges, Running(), 10.0)
    heartbeat._came_round(9.9, 1.0)
    assert caplog.messages == []
    heartbeat._came_round(12.5, 2.0)
    assert caplog.messages == [
        "The event loop was 12.5 s late, and no other thread could run meanwhile: the process was suspended, or"
        " native code held Python's global lock"
    ]
    assert gauges.blocks == 1 and gauges.blocked_s == 12.5
