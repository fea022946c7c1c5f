"""The periodic lines of the log, on a clock that skips."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.server.observing.stats_log import StatsLog
from app_server.settings import Settings
from tests.support.servers.stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(lambda document: None) as played:
        yield played


def begin(stage: Stage, **settings: Any) -> int:
    """Begin the work of these settings; how many loops it is."""
    state = SimpleNamespace(settings=Settings(**settings), runtimes=[stage.runtime])
    work = list(StatsLog(state).work())  # type: ignore[arg-type]
    for each in work:
        stage.loop.create_task(each)
    return len(work)


def test_sessions_and_connections_are_reported_once_until_they_change(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert begin(stage, stats_log_frequency_ms=1000, mem_log_frequency_ms=0) == 1
    stage.loop.run_for(3.5)
    first = f"[pid {os.getpid()}] /app: 1 sessions with 0 connections, 1 unused"
    assert caplog.messages == [first]
    stage.view()
    stage.loop.run_for(0.4)
    assert caplog.messages == [first]
    stage.loop.run_for(0.2)
    assert caplog.messages == [first, f"[pid {os.getpid()}] /app: 1 sessions with 1 connections, 0 unused"]


def test_memory_is_reported_each_time(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert begin(stage, stats_log_frequency_ms=0, mem_log_frequency_ms=500) == 1
    stage.loop.run_for(1.1)
    assert len(caplog.messages) == 2
    assert all(text.startswith(f"[pid {os.getpid()}] ") and "MB in use" in text for text in caplog.messages)


def test_rhythm_of_zero_is_never(stage: Stage) -> None:
    assert begin(stage, stats_log_frequency_ms=0, mem_log_frequency_ms=0) == 0
