"""The main loop of a process that forks others: descriptors and signals, without threads or an event loop."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from app_server.processes.forking.stop_signals import Heard, StopSignals

_DRAIN_BYTES = 4096


class ParentLoop:
    """Calls `handle(signal, heard)` for each of the `signals` that arrives, in order, outside the signal handler.

    `heard` says what a SIGTERM or SIGINT means after those before it; it is `Heard.FIRST` for all others.
    """

    def __init__(self, signals: Sequence[signal.Signals], handle: Callable[[int, Heard], None]) -> None:
        self._numbers = signals
        self._handle = handle
        self._pending: list[tuple[int, Heard]] = []
        self._stop_signals = StopSignals()
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakeup_end = os.pipe()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.set_blocking(descriptor, False)
        self.watch(self._wakeup, self._drain)

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever this descriptor can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def ignore(self, descriptor: int) -> None:
        """Watch this descriptor no longer; one that is not watched is left as it is."""
        if descriptor >= 0 and descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def handle_signals(self) -> None:
        """Take the signals of this process from now on."""
        for number in self._numbers:
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)

    def run(self, turn: Callable[[], bool], tick_s: float) -> None:
        """Work until `turn` returns False; it is called after each event, and at least every `tick_s` seconds."""
        going = True
        while going:
            for key, _ in self._selector.select(tick_s):
                key.data()
            while self._pending:
                self._handle(*self._pending.pop(0))
            going = turn()

    def close(self) -> None:
        """Release what a forked process must not share with its parent."""
        self._selector.close()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.close(descriptor)

    def _note(self, number: int, frame: FrameType | None) -> None:
        asks_to_stop = number in (signal.SIGTERM, signal.SIGINT)
        self._pending.append((number, self._stop_signals.hear() if asks_to_stop else Heard.FIRST))

    def _drain(self) -> None:
        os.read(self._wakeup, _DRAIN_BYTES)
