"""The steps of a build or a roll-out, reported as events while they happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Kind = Literal["note", "begun", "done", "failed", "part", "now", "output"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened, as a text and, for what has ended, the seconds that it took.

    `note` is a line about the whole. `begun` and then `done` or `failed` are a step, `part` is what happened within
    one, such as a line of a Dockerfile, `now` what goes on within it, and `output` a line that another program has
    printed.
    """

    kind: Kind
    text: str
    seconds: float | None = None
    output: tuple[str, ...] = ()
    """with `failed`, the last lines that programs have printed in this step"""


Show = Callable[[Event], None]
Clock = Callable[[], float]

KEPT_LINES = 30
"""How many lines of other programs a failed step shows."""


class Progress:
    """Reports what is done to `show`; called with a text, it reports a note."""

    def __init__(self, show: Show, clock: Clock = time.monotonic) -> None:
        self._to = show
        self._clock = clock
        self._printed: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        """Report a line about the whole."""
        self._show(Event("note", text))

    @contextmanager
    def step(self, doing: str, done: str | Callable[[], str] = "") -> Iterator[None]:
        """Report that a step begins, and how it ends; `done` is what to say then, if not the same."""
        self._printed = []
        begun_s = self._clock()
        self._show(Event("begun", doing))
        try:
            yield
        except BaseException:
            kept = tuple(self._printed[-KEPT_LINES:])
            self._show(Event("failed", doing, self._clock() - begun_s, kept))
            raise
        text = done() if callable(done) else done or doing
        self._show(Event("done", text, self._clock() - begun_s))

    def part(self, text: str, seconds: float | None = None) -> None:
        """Report what has happened within a step."""
        self._show(Event("part", text, seconds))

    def now(self, text: str) -> None:
        """Report what goes on within a step."""
        self._show(Event("now", text))

    def output(self, line: str) -> None:
        """Report a line that another program has printed."""
        self._printed = [*self._printed[-KEPT_LINES:], line]
        self._show(Event("output", line))

    def _show(self, event: Event) -> None:
        # The output of a program may be read by a thread of its own.
        with self._lock:
            self._to(event)


def silent() -> Progress:
    """One that reports nothing."""
    return Progress(lambda event: None)


def duration(seconds: float) -> str:
    """A time as people read it: 0.4 s, 12 s, 3 min 5 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes > 1 else f"{round(seconds)} s"
