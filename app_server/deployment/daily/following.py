"""Logs of several programs at once, line by line, until all have ended."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Full, Queue

from app_server import programs
from app_server.deployment.daily.deployed import Line, LogSource
from app_server.deployment.reason import plain
from app_server.errors import OperatorError

_PATIENCE_S = 5.0
"""How long a program may take to end when its log is not read any more, before it is killed."""
_WAITING_LINES = 10_000
"""How many lines are read ahead of a slow terminal."""
_LOOK_S = 0.5
_LONGEST_LOOK_S = 3.0
"""How long to wait until it is looked again whether a log goes on: at first, and when it has not for long."""


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
    arrived: Queue[Line | Ended | Exception] = Queue(_WAITING_LINES)
    faults = 0
    with ExitStack() as ends:
        for source in sources:
            reader = _Reader(source, arrived)
            ends.callback(reader.stop)
            reader.start()
        left = len(sources)
        while left:
            item = arrived.get()
            if isinstance(item, Exception):
                raise item
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

    def __init__(self, source: LogSource, arrived: Queue[Line | Ended | Exception]) -> None:
        self._source = source
        self._arrived = arrived
        self._over = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        # It is a daemon for the case that an engine is asked which does not answer.
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read. OperatorError for a missing program."""
        if shutil.which(self._source.words[0]) is None:
            raise OperatorError(f"{self._source.words[0]} is not installed", where=self._source.name)
        self._thread.start()

    def stop(self) -> None:
        """End the program, and return when nothing is left of it."""
        with self._starting:
            self._over.set()
        if self._process is not None:
            programs.end(self._process, _PATIENCE_S)
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def _begin(self, words: Sequence[str]) -> bool:
        """Start a program, unless this was stopped meanwhile."""
        # Not in the main thread: a signal's exception, raised before the process is known here, would leave it behind.
        with self._starting:
            if self._over.is_set():
                return False
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        assert self._process.stdin is not None
        # One that has ended at once reads nothing.
        with suppress(BrokenPipeError), self._process.stdin as typed:
            typed.write(self._source.typed.encode())
        return True

    def _run(self) -> None:
        try:
            fault = self._read_all()
        except (OperatorError, OSError) as error:
            fault = str(error)
        except Exception as error:  # it is raised where the lines are awaited
            self._hand_on(error)
            return
        self._hand_on(Ended(self._source, fault))

    def _hand_on(self, item: Line | Ended | Exception) -> None:
        """Let it be printed, as soon as there is room, unless this was stopped."""
        while not self._over.is_set():
            try:
                self._arrived.put(item, timeout=_LOOK_S)
            except Full:
                continue
            return

    def _read_all(self) -> str | None:
        """Read what one program after the other prints; what the last one has complained of."""
        complaint = self._read() if self._begin(self._source.words) else None
        while self._source.after is not None and (words := self._next(complaint)) is not None and self._begin(words):
            complaint = self._read()
        return complaint

    def _read(self) -> str | None:
        """Read what the program prints to its end; what it has complained of, None if it has ended well."""
        assert self._process is not None and self._process.stdout is not None
        said = ""
        with self._process.stdout as printed:
            for each in printed:
                if self._over.is_set():
                    break
                text = each.decode(errors="surrogateescape").rstrip("\r\n")
                if (line := self._source.read(text)) is None:
                    said = plain(_readable(text)).strip() or said
                    continue
                # A bar of progress returns to the beginning of its line, where the instance's name is to stand.
                parts = _readable(line[1]).split("\r")
                for part in [part for part in parts if part] or [""]:
                    self._hand_on((line[0], part))
        status = self._process.wait()
        if status == 0:
            return None
        return said or f"ended with {status}"

    def _next(self, complaint: str | None) -> Sequence[str] | None:
        """The program that goes on; None if this was stopped. OperatorError if there will be none."""
        assert self._source.after is not None
        pause_s = _LOOK_S
        while not self._over.is_set():
            if (words := self._source.after(complaint)) is not None:
                return words
            self._over.wait(pause_s)
            pause_s = min(1.5 * pause_s, _LONGEST_LOOK_S)
        return None


def _readable(text: str) -> str:
    """Text in which what is not UTF-8 is replaced."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="replace")
