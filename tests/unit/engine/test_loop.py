"""The loop as the engine uses it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from app_server.engine.loop import EngineLoop, loop_factory
from app_server.observe.logs import JsonFormatter
from app_server.session.naming import LogName
from tests.support.clock import SkippingLoop
from tests.support.waiting import PATIENCE_S, patience

BOARD = LogName("/board", application="/board")


@pytest.fixture
def elsewhere() -> Iterator[EngineLoop]:
    """A loop that was made in this thread, and runs in another one with nothing to do."""
    loop = asyncio.new_event_loop()
    engine_loop = EngineLoop(loop)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield engine_loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_callback_from_the_thread_that_made_the_loop_wakes_a_loop_that_runs_in_another_one(
    elsewhere: EngineLoop,
) -> None:
    called = threading.Event()
    elsewhere.soon(BOARD, called.set)
    assert called.wait(patience(PATIENCE_S))


def test_loop_is_here_in_what_it_calls_and_not_in_the_thread_that_made_it(elsewhere: EngineLoop) -> None:
    found: list[bool] = []
    called = threading.Event()

    def note() -> None:
        found.append(elsewhere.is_here())
        called.set()

    elsewhere.soon(BOARD, note)
    assert called.wait(patience(PATIENCE_S))
    assert found == [True]
    assert not elsewhere.is_here()


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


async def test_loop_that_was_not_given_is_the_one_in_which_it_is_first_needed() -> None:
    engine_loop = await asyncio.to_thread(EngineLoop)  # where there is none
    assert engine_loop.is_here()
    assert engine_loop.asyncio is asyncio.get_running_loop()


def test_loop_of_a_server_watches_sockets_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loop_factory() is None
    monkeypatch.setattr(asyncio, "ProactorEventLoop", object, raising=False)
    assert loop_factory() is asyncio.SelectorEventLoop
