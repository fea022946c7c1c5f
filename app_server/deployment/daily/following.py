"""Logs of several programs at once, line by line, until all have ended."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import SimpleQueue

from app_server import programs
from app_server.deployment.daily.deployed import Line, LogSource
from app_server.deployment.reason import plain
from app_server.errors import OperatorError

_PATIENCE_S = 5.0
"""How long a program may take to end when its log is not read any more, before it is killed."""
_KEPT_LINES = 20
_LOOK_S = 0.5
"""How often it is looked whether a log goes on."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a log."""

    source: LogSource
    fault: str | None
    """why it could not be read on; None if it was read to its end"""


def follow(
    sources: Sequence[LogSource], write: Callable[[str, str], None], complain: Callable[[str], None]
) -> bool:
    """Give each line to `write`, with its instance, and each fault to `complain`; whether there was none.

    No program is left when this returns or raises, be it by Ctrl-C.
    """
    arrived: SimpleQueue[Line | Ended] = SimpleQueue()
    faults = 0
    with ExitStack() as ends:
        for source in sources:
            reader = _Reader(source, arrived)
            ends.callback(reader.stop)
            reader.start()
        left = len(sources)
        while left:
            item = arrived.get()
            if not isinstance(item, Ended):
                write(*item)
                continue
            left -= 1
            if item.fault is not None:
                faults += 1
                complain(f"{item.source.name}: {item.fault}")
    return not faults


class _Reader:
    """Reads the lines of one source in a thread, until its programs have ended or it is stopped."""

    def __init__(self, source: LogSource, arrived: SimpleQueue[Line | Ended]) -> None:
        self._source = source
        self._arrived = arrived
        self._over = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to read. OperatorError for a missing program."""
        try:
            self._begin(self._source.words)
        except FileNotFoundError:
            raise OperatorError(f"{self._source.words[0]} is not installed", where=self._source.name) from None
        self._thread.start()

    def stop(self) -> None:
        """End the program, and return when nothing is left of it."""
        with self._starting:
            self._over.set()
        if self._process is not None:
            programs.end(self._process, _PATIENCE_S)
        if self._thread.is_alive():
            self._thread.join()

    def _begin(self, words: Sequence[str]) -> bool:
        """Start a program, unless this was stopped meanwhile."""
        with self._starting:
            if self._over.is_set():
                return False
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, encoding="utf-8", errors="replace",
            )  # fmt: skip
        assert self._process.stdin is not None
        # One that has ended at once reads nothing.
        with suppress(BrokenPipeError), self._process.stdin as typed:
            typed.write(self._source.typed)
        return True

    def _run(self) -> None:
        fault = None
        try:
            status, said = self._read()
            while self._goes_on(status, said) and (words := self._next()) is not None and self._begin(words):
                status, said = self._read()
            if status != 0:
                lines = [line for line in said.splitlines() if line.strip()]
                fault = lines[-1].strip() if lines else f"ended with {status}"
        except OperatorError as error:
            fault = str(error)
        self._arrived.put(Ended(self._source, fault))

    def _read(self) -> tuple[int, str]:
        """The status of the program, and what it has said beside the log."""
        assert self._process is not None and self._process.stdout is not None
        said: list[str] = []
        with self._process.stdout as printed:
            for each in printed:
                line = self._source.read(each.rstrip("\r\n"))
                if line is not None:
                    self._arrived.put(line)
                else:
                    said = [*said[-_KEPT_LINES:], plain(each)]
        return self._process.wait(), "".join(said)

    def _goes_on(self, status: int, said: str) -> bool:
        """Whether another program may go on after one that has ended like this."""
        return self._source.after is not None and (status == 0 or self._source.has_gone(said))

    def _next(self) -> Sequence[str] | None:
        """The program that goes on; None if this was stopped. OperatorError if that cannot be known any more."""
        assert self._source.after is not None
        while not self._over.is_set():
            if (words := self._source.after()) is not None:
                return words
            self._over.wait(_LOOK_S)
        return None
