"""The loop goes round when it is asked to, and its clock goes on when it is moved."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from app_server.testing.clock import ClockedIOLoop, ClockedLoop, Deadline


@pytest.fixture
def loop() -> Iterator[ClockedLoop]:
    made = ClockedLoop()
    yield made
    made.close()


def test_timers_are_due_when_the_clock_says_so(loop: ClockedLoop) -> None:
    seen: list[str] = []
    loop.call_later(5, seen.append, "five")
    loop.call_later(3600, seen.append, "an hour").cancel()
    loop.call_soon(seen.append, "soon")
    assert not loop.is_idle
    loop.go_round()
    assert (seen, loop.is_idle, loop.next_due_s()) == (["soon"], True, 5)
    loop.move_clock(5)
    assert not loop.is_idle
    loop.go_round()
    assert (seen, loop.next_due_s(), loop.time()) == (["soon", "five"], None, 5)


def test_connections_are_told_from_the_loops_own(loop: ClockedLoop) -> None:
    assert not loop.has_connections
    one, other = socket.socketpair()
    with one, other:
        loop.add_reader(one.fileno(), print)
        assert loop.has_connections
        loop.remove_reader(one.fileno())
    assert not loop.has_connections


def test_clock_never_goes_back(loop: ClockedLoop) -> None:
    loop.move_clock(7)
    loop.move_clock(3)
    assert loop.time() == 7


def test_round_waits_for_threads_and_not_for_timers(loop: ClockedLoop) -> None:
    seen: list[str] = []
    loop.call_later(3600, seen.append, "late")
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(seen.append, "thread"))
    began_s = time.monotonic()
    loop.call_soon(thread.start)
    loop.go_round(60)  # something is to be called: it does not wait
    while not seen:
        loop.go_round(60)
    assert seen == ["thread"]
    assert time.monotonic() - began_s < 30
    thread.join()


async def test_it_goes_round_while_another_loop_runs() -> None:
    outer, inner = asyncio.get_running_loop(), ClockedLoop()
    seen: list[asyncio.AbstractEventLoop] = []
    inner.call_soon(lambda: seen.append(asyncio.get_running_loop()))
    inner.go_round()
    inner.close()
    assert seen == [inner]
    assert asyncio.get_running_loop() is outer


def test_tornado_has_the_same_clock(loop: ClockedLoop) -> None:
    times: list[float] = []

    def note() -> None:
        ClockedIOLoop()
        times.append(IOLoop.current().time())
        IOLoop.current().call_later(10, lambda: times.append(IOLoop.current().time()))

    loop.call_soon(note)
    loop.go_round()
    loop.move_clock(10)
    loop.go_round()
    assert times[1] - times[0] == pytest.approx(10)
    assert times[0] == pytest.approx(time.time(), abs=60)


def test_deadline_grants_rounds_to_what_is_busy_and_none_to_what_waits() -> None:
    assert not Deadline(60).has_passed(busy=False)
    passed = Deadline(-1)
    assert passed.has_passed(busy=False)
    assert [passed.has_passed(busy=True) for _ in range(99)] == [False] * 99
    assert passed.has_passed(busy=True)
