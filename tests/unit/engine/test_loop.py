"""The loop as the engine uses it."""

from __future__ import annotations

import logging
import threading

import pytest

from app_server.engine.loop import EngineLoop
from tests.support.clock import SkippingLoop


def test_callback_for_a_loop_that_is_closed_is_dropped(loop: SkippingLoop, caplog: pytest.LogCaptureFixture) -> None:
    other = SkippingLoop()
    engine_loop = EngineLoop(other)
    other.close()
    with caplog.at_level(logging.DEBUG):
        engine_loop.soon(pytest.fail)
        thread = threading.Thread(target=engine_loop.soon, args=(pytest.fail,))
        thread.start()
        thread.join()
    assert caplog.messages == ["The loop is closed; a callback is dropped"] * 2
