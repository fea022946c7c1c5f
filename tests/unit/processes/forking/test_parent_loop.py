"""The loop of a process that forks, with real pipes and signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from app_server.processes.forking.parent_loop import ParentLoop
from app_server.processes.forking.stop_signals import Heard

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, and the signals as they were afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        os.close(descriptor)
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_handled_in_their_order_and_outside_their_handler(pipe: tuple[int, int]) -> None:
    handled: list[tuple[int, Heard]] = []
    loop = ParentLoop(SIGNALS, lambda number, heard: handled.append((number, heard)))
    loop.handle_signals()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.raise_signal(number)
    assert handled == []
    loop.run(lambda: False, 10.0)
    assert handled == [
        (signal.SIGHUP, Heard.FIRST), (signal.SIGTERM, Heard.FIRST), (signal.SIGINT, Heard.REPEAT),
    ]  # fmt: skip
    loop.close()


def test_descriptor_is_watched_until_it_is_ignored(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    loop = ParentLoop(SIGNALS, lambda number, heard: None)
    turns: list[int] = []
    loop.watch(reading, lambda: turns.append(len(os.read(reading, 10))))
    os.write(writing, b"xyz")
    loop.run(lambda: False, 10.0)
    assert turns == [3]
    loop.ignore(reading)
    loop.ignore(reading)
    loop.ignore(-1)
    os.write(writing, b"more")
    loop.run(lambda: False, 0.0)
    assert turns == [3]
    loop.close()


def test_turns_go_on_until_one_is_the_last(pipe: tuple[int, int]) -> None:
    loop = ParentLoop(SIGNALS, lambda number, heard: None)
    left = [True, True, False, True]
    loop.run(lambda: left.pop(0), 0.0)
    assert left == [True]
    loop.close()
