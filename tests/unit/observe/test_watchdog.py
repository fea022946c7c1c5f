"""A loop that does not come round is seen from outside."""

from __future__ import annotations

import threading
import time

from app_server.observe.watchdog import Block, Watchdog


class Clock:
    """A clock that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def watching(limit_s: float = 5.0) -> tuple[Watchdog, Clock, list[Block]]:
    """A watchdog that looks when the test says so, its clock, and what it reported."""
    clock, blocks = Clock(), list[Block]()
    return Watchdog(limit_s, blocks.append, clock=clock), clock, blocks


def test_punctual_loop_is_not_reported() -> None:
    watchdog, clock, blocks = watching()
    for _ in range(10):
        watchdog.expect(clock.now_s + 0.5)
        clock.now_s += 4.0
        watchdog.look()
    assert (blocks, watchdog.reported) == ([], False)


def test_block_is_reported_once_with_what_the_thread_does() -> None:
    watchdog, clock, blocks = watching()
    watchdog.expect(clock.now_s + 0.5)
    for _ in range(4):
        clock.now_s += 2.75
        watchdog.look()
    assert [block.overdue_s for block in blocks] == [5.0]
    assert "test_block_is_reported_once_with_what_the_thread_does" in blocks[0].stack
    assert watchdog.reported


def test_next_block_is_reported_again() -> None:
    watchdog, clock, blocks = watching()
    for _ in range(2):
        watchdog.expect(clock.now_s)
        assert not watchdog.reported
        clock.now_s += 6.0
        watchdog.look()
    assert len(blocks) == 2


def test_thread_finds_a_block_while_it_lasts() -> None:
    found = threading.Event()
    watchdog = Watchdog(0.05, lambda block: found.set())
    watchdog.start()
    try:
        watchdog.expect(time.monotonic())
        assert found.wait(10)
    finally:
        watchdog.stop()
