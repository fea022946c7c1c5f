"""Each exception is noted once, from wherever it comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app_server.errors import ApplicationError
from app_server.testing.clock import ClockedLoop
from app_server.testing.failures import Failures

log = logging.getLogger("an application")


@pytest.fixture
def loop() -> Iterator[ClockedLoop]:
    made = ClockedLoop()
    yield made
    made.close()


def logging_it(error: Exception, level: int = logging.ERROR) -> Any:
    """A function that logs this exception."""

    def act() -> None:
        try:
            raise error
        except type(error):
            log.log(level, "it failed", exc_info=True)

    return act


def in_loop(loop: ClockedLoop, act: Any) -> None:
    """Call this in the loop."""
    loop.call_soon(act)
    loop.go_round()


def test_exception_is_noted_once_however_often_it_is_reported(loop: ClockedLoop) -> None:
    failures, error = Failures(loop), KeyError("one")

    def fail() -> None:
        try:
            raise error
        except KeyError:
            failures.failed()
        logging_it(error)()

    with failures.watched():
        in_loop(loop, fail)
        assert failures.take() == [error]
        in_loop(loop, fail)
        assert failures.take() == []


def test_description_of_an_exception_is_that_exception(loop: ClockedLoop) -> None:
    failures, cause = Failures(loop), ValueError("cause")
    described = ApplicationError("ValueError: cause")
    described.__cause__ = cause
    failures.note(described)
    failures.note(cause)
    assert failures.take() == [cause]


def test_logs_count_only_if_the_loop_writes_them_and_they_have_an_error(loop: ClockedLoop) -> None:
    failures = Failures(loop)
    with failures.watched():
        logging_it(KeyError("outside"))()
        in_loop(loop, logging_it(KeyError("a warning"), logging.WARNING))
        in_loop(loop, lambda: log.error("no exception"))
        assert failures.take() == []
        in_loop(loop, logging_it(KeyError("inside")))
        assert [str(error) for error in failures.take()] == ["'inside'"]
    in_loop(loop, logging_it(KeyError("afterwards")))
    assert failures.take() == []


def test_tasks_that_nothing_awaits_are_those_of_their_own_loop(loop: ClockedLoop) -> None:
    failures, other = Failures(loop), ClockedLoop()
    others = Failures(other)
    kept = []

    async def fail() -> None:
        raise KeyError("task")

    with failures.watched(), others.watched():
        in_loop(loop, lambda: kept.append(loop.create_task(fail())))
        loop.go_round()
        assert failures.take() == []
        in_loop(other, kept.clear)
        assert ([type(error) for error in failures.take()], others.take()) == ([KeyError], [])
    other.close()


def test_threads_are_watched_and_other_hooks_are_left_alone(loop: ClockedLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    failures, heard = Failures(loop), []

    def hook(arguments: Any) -> None:
        heard.append(arguments.exc_type)

    monkeypatch.setattr(threading, "excepthook", hook)
    with failures.watched():
        thread = threading.Thread(target=lambda: {}["thread"])
        thread.start()
        thread.join()
        assert [type(error) for error in failures.take()] == [KeyError] == heard
    assert threading.excepthook is hook
    with failures.watched():
        monkeypatch.setattr(threading, "excepthook", print)
    assert threading.excepthook is print


def test_hook_for_threads_is_put_back_in_whatever_order_they_end(loop: ClockedLoop, monkeypatch: Any) -> None:
    heard: list[Any] = []

    def hook(arguments: Any) -> None:
        heard.append(arguments.exc_type)

    monkeypatch.setattr(threading, "excepthook", hook)
    first, second = Failures(loop), Failures(loop)
    watched = [first.watched(), second.watched()]
    for each in watched:
        each.__enter__()
    watched[0].__exit__(None, None, None)
    thread = threading.Thread(target=lambda: {}["thread"])
    thread.start()
    thread.join()
    assert (first.take(), [type(error) for error in second.take()], heard) == ([], [KeyError], [KeyError])
    watched[1].__exit__(None, None, None)
    assert threading.excepthook is hook


def test_logs_of_threads_are_noted_if_these_were_started_since(loop: ClockedLoop) -> None:
    failures, go = Failures(loop), threading.Event()

    def log_late() -> None:
        go.wait()
        logging_it(KeyError("of another"))()

    other = threading.Thread(target=log_late)
    other.start()
    with failures.watched():
        go.set()
        own = threading.Thread(target=logging_it(KeyError("of the application")))
        own.start()
        for thread in (own, other):
            thread.join()
        assert [str(error) for error in failures.take()] == ["'of the application'"]
