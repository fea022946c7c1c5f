"""The threads of Panel's callbacks: as many as the server's settings say."""

from __future__ import annotations

import importlib
import sys
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.guests import Guest, guest_for


def test_threads_are_those_of_the_settings_and_begin_once() -> None:
    guest = guest_for({"panel"})
    panel: Any = importlib.import_module("panel")
    try:
        guest.use_threads(3)
        guest.use_threads(3)
        assert panel.config.nthreads == 3 and panel.state._thread_pool._max_workers == 3
    finally:
        panel.config.nthreads = None


def test_panels_own_variable_is_not_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANEL_NUM_THREADS", "2")
    with pytest.raises(OperatorError) as caught:
        guest_for({"panel"}).use_threads(4)
    assert str(caught.value) == (
        "--num-threads: PANEL_NUM_THREADS is 2, but --num-threads is 4. Leave one of them out"
    )


def test_plain_bokeh_needs_none() -> None:
    before = set(threading.enumerate())
    Guest().use_threads(3)
    assert set(threading.enumerate()) <= before


def test_threads_outlive_callbacks_that_exit(caplog: pytest.LogCaptureFixture) -> None:
    guest = guest_for({"panel"})
    panel: Any = importlib.import_module("panel")
    failures: list[str] = []
    session = SimpleNamespace(log_failure=failures.append)
    document = SimpleNamespace(session_context=SimpleNamespace(session=session))

    def leave() -> None:
        sys.exit(3)

    try:
        guest.use_threads(1)
        pool = panel.state._thread_pool
        for _ in range(2):
            panel.state.execute(leave, schedule="thread")
        pool.submit(leave).add_done_callback(partial(panel.state._handle_future_exception, doc=document))
        assert pool.submit(str, 7).result(timeout=10) == "7"
    finally:
        panel.config.nthreads = None
    assert caplog.messages == ["A callback in a thread raised an exception"] * 2
    assert failures == ["a callback in a thread"]
