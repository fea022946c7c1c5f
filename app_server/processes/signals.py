"""Signals that ask a process to stop, handled in Python, also while its loop waits for sockets."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app_server import system


def of_request(number: int) -> signal.Signals:
    """What this signal asks for: SIGINT to end at once, SIGTERM to end in order, as Windows' SIGBREAK does."""
    return signal.SIGINT if number == signal.SIGINT else signal.SIGTERM


@contextmanager
def calling(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in the loop at each signal that asks to stop, as long as this block lasts. Main thread only."""
    before = {number: signal.getsignal(number) for number in system.STOP_SIGNALS}
    for number in before:
        signal.signal(number, lambda number, frame: loop.call_soon_threadsafe(stop))
    end = wake_at_signals(loop)
    try:
        yield
    finally:
        end()
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def wake_at_signals(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Let handlers set by `signal.signal` run as soon as a signal arrives; what ends that again. Main thread only.

    On Unix a signal interrupts the loop's wait. On Windows a thread of the system notes it, and the handler would run
    when the next timer or client wakes the loop; a byte on a socket of its own wakes it.
    """
    if system.signals_interrupt():
        return _nothing
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    try:
        loop.add_reader(reader, _read, reader)
    except NotImplementedError:  # Windows' own loop, which has such a socket
        reader.close()
        writer.close()
        return _nothing
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def end() -> None:
        signal.set_wakeup_fd(before)
        if not loop.is_closed():
            loop.remove_reader(reader)
        reader.close()
        writer.close()

    return end


def _read(reader: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        reader.recv(4096)


def _nothing() -> None:
    """Signals wake the loop by themselves."""
