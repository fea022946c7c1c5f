"""The loop as the engine uses it."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from app_server.engine.loop import EngineLoop
from app_server.observe.logs import JsonFormatter
from app_server.session.naming import LogName
from tests.support.clock import SkippingLoop

BOARD = LogName("/board", application="/board")


def test_callback_for_a_loop_that_is_closed_is_dropped(loop: SkippingLoop, caplog: pytest.LogCaptureFixture) -> None:
    other = SkippingLoop()
    engine_loop = EngineLoop(other)
    other.close()
    with caplog.at_level(logging.DEBUG):
        engine_loop.soon(BOARD, pytest.fail)
        thread = threading.Thread(target=engine_loop.soon, args=(BOARD, pytest.fail))
        thread.start()
        thread.join()
    assert caplog.messages == ["/board: the event loop is closed; dropping a callback"] * 2
    for record in caplog.records:
        assert json.loads(JsonFormatter().format(record))["application"] == "/board"
