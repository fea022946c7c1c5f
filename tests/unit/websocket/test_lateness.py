"""How far a client is behind, with a queue and a clock of the test's."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from app_server.observe.gauges import ApplicationGauges
from app_server.protocol.lag import GIVEN_UP_AFTER_S, UNPROVEN_S
from app_server.websocket.lateness import Lateness
from app_server.websocket.write_queue import WriteQueue
from tests.support.clock import SkippingLoop, skipping_loop


class Behind:
    """One client's lateness, and how often it was said to have caught up."""

    def __init__(self, ours: socket.socket, theirs: socket.socket, clock: Callable[[], float]) -> None:
        self.theirs = theirs
        self.caught_up = 0
        self.queue = WriteQueue(ours, ApplicationGauges())
        self.lateness = Lateness(ours, self.queue, self._note, clock)

    def _note(self) -> None:
        self.caught_up += 1


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    """A loop whose clock skips to what is due next."""
    with skipping_loop() as made:
        yield made


@pytest.fixture
def behind(loop: SkippingLoop) -> Iterator[Behind]:
    """A client of whom nothing is known yet."""
    ours, theirs = socket.socketpair()

    async def make() -> Behind:
        return Behind(ours, theirs, loop.time)

    with ours, theirs:
        yield loop.run_until_complete(make())


def test_client_that_answers_no_probe_is_waited_for_a_second_at_a_time(loop: SkippingLoop, behind: Behind) -> None:
    behind.lateness.lag.probes(2**21, loop.time())
    assert behind.lateness.confirm() and behind.lateness.awaited
    loop.run_for(UNPROVEN_S - 0.1)
    assert behind.caught_up == 0
    behind.lateness.lag.taken(0)
    loop.run_for(UNPROVEN_S + 0.2)  # it looks each second
    assert behind.caught_up == 1 and not behind.lateness.awaited
    loop.run_for(2 * GIVEN_UP_AFTER_S)
    assert behind.caught_up == 1


def test_client_whose_answer_is_here_unread_is_not_late(loop: SkippingLoop, behind: Behind) -> None:
    lag = behind.lateness.lag
    before, _ = lag.probes(2**16, loop.time())
    assert before is not None
    lag.answered(before, loop.time())
    behind.theirs.send(b"an answer")
    assert not behind.lateness.confirm() and not behind.lateness.awaited
    behind.queue.append([bytes(2**18)])
    assert behind.lateness.confirm(), "but it is if much is queued"
    behind.lateness.stop()


def test_relief_is_noted_once_and_only_if_it_is_awaited(behind: Behind) -> None:
    behind.lateness.note_relief()
    assert behind.caught_up == 0
    behind.lateness.wait()
    behind.lateness.note_relief()
    behind.lateness.note_relief()
    assert behind.caught_up == 1
    behind.lateness.stop()


def test_nothing_is_called_after_the_end(loop: SkippingLoop, behind: Behind) -> None:
    behind.lateness.wait()
    behind.lateness.stop()
    behind.lateness.stop()
    loop.run_for(2 * GIVEN_UP_AFTER_S)
    assert behind.caught_up == 0


def test_silent_client_has_gone_the_later_the_more_is_on_its_way(loop: SkippingLoop, behind: Behind) -> None:
    now_s = loop.time()
    assert not behind.lateness.has_gone(now_s - 75, 75)
    assert behind.lateness.has_gone(now_s - 76, 75)
    before, _ = behind.lateness.lag.probes(2**16, now_s)
    assert before is not None
    behind.lateness.lag.answered(before, now_s)
    assert not behind.lateness.has_gone(now_s - 76, 75), "64 KiB take 16 s at 4 KiB/s"
    assert behind.lateness.has_gone(now_s - 92, 75)
