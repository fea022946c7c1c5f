"""A loop that waits hears of a signal, on Windows by a socket of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from app_server import system
from app_server.processes.signals import calling, of_request, wake_at_signals
from tests.support.waiting import patience


@pytest.fixture
def handled_elsewhere() -> Iterator[None]:
    """Another thread takes the signals, so no call of this one returns for them, as on Windows."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    over.set()
    thread.join()


async def stopped_by(number: signal.Signals, limit_s: float) -> float:
    """When the loop hears of this signal, in seconds; at the latest at the limit, when it wakes up by itself."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    stopped = loop.create_future()
    with calling(loop, lambda: stopped.set_result(True)):
        sender = threading.Timer(0.05, os.kill, (os.getpid(), number))
        sender.start()
        await asyncio.wait([stopped], timeout=limit_s)
        sender.join()  # as long as the signal is handled
    return loop.time() - began_s


def run(limit_s: float, number: signal.Signals = signal.SIGTERM) -> float:
    with asyncio.Runner() as runner:
        return runner.run(stopped_by(number, limit_s))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_what_waits(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    assert run(patience(5), number) < patience(5)
    assert signal.getsignal(number) is before


def test_without_a_socket_a_loop_of_windows_hears_of_it_when_it_wakes_up_by_itself(handled_elsewhere: None) -> None:
    assert run(0.3) > 0.29


def test_on_windows_a_socket_wakes_the_loop(
    handled_elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "signals_interrupt", lambda: False)
    assert run(patience(5)) < patience(5)
    assert signal.set_wakeup_fd(-1) == -1, "nothing is left of it"


def test_loop_of_windows_that_watches_no_sockets_is_left_to_wake_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, fd: object, callback: Callable[..., object], *args: object) -> None:
            raise NotImplementedError

    monkeypatch.setattr(system, "signals_interrupt", lambda: False)
    loop = Proactor()
    wake_at_signals(loop)()
    assert signal.set_wakeup_fd(-1) == -1
    loop.close()


def test_ctrl_break_of_windows_asks_for_an_end_in_order() -> None:
    break_number = 21
    assert [of_request(number) for number in (signal.SIGINT, signal.SIGTERM, break_number)] == [
        signal.SIGINT, signal.SIGTERM, signal.SIGTERM,
    ]  # fmt: skip
