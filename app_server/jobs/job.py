"""A job as the application sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app_server.jobs.state import NEXT, JobState, is_final


class Watcher(Protocol):
    """What wants to know of a job; called in any thread."""

    def progressed(self) -> None:
        """The job has reported progress, or has begun."""

    def ended(self) -> None:
        """The job has ended."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job has ended."""

    state: JobState
    result: Any = None
    error: BaseException | None = None


class Job:
    """Long work that was submitted: where it is, what it has returned, and how to cancel it.

    Its properties may be read in any thread. `on_end` is called once, when it has ended in whatever way.
    """

    def __init__(
        self,
        label: str,
        name: str | None = None,
        *,
        on_end: Callable[[], None] | None = None,
        ahead: Callable[[], int] | None = None,
        state: JobState = JobState.QUEUED,
        fraction: float | None = 0.0,
        text: str = "",
    ) -> None:
        self._label = label
        self._name = name
        self._on_end = on_end or _nothing
        self._ahead = ahead or _none_ahead
        self._lock = threading.Lock()
        self._state = state
        self._progress = fraction, text
        self._ending = Ending(state)
        self._withdrawn = False
        self._watchers: tuple[Watcher, ...] = ()
        self._began_s = self._ended_s = time.monotonic()

    def __repr__(self) -> str:
        name = "" if self._name is None else f" {self._name!r}"
        return f"<Job{name} {self._label}: {self._state}>"

    @property
    def name(self) -> str | None:
        """The name that it was submitted with, by which it can be found again."""
        return self._name

    @property
    def label(self) -> str:
        """What its function is called."""
        return self._label

    @property
    def state(self) -> JobState:
        """Where it is: "queued", "running", "done", "failed", "cancelled" or "lost"."""
        return self._state

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return is_final(self._state)

    @property
    def fraction(self) -> float | None:
        """How far it is, 0 to 1, as last reported; None if the function does not know."""
        return self._progress[0]

    @property
    def text(self) -> str:
        """What it was doing, as last reported."""
        return self._progress[1]

    @property
    def ahead(self) -> int:
        """How many queued jobs began to wait before this one; 0 once it runs."""
        return self._ahead() if self._state is JobState.QUEUED else 0

    @property
    def seconds(self) -> float:
        """How long it has been running, or has run; before that, how long it has been queued."""
        return (self._ended_s if self.over else time.monotonic()) - self._began_s

    @property
    def result(self) -> Any:
        """What the function has returned; None before the job is done."""
        return self._ending.result

    @property
    def error(self) -> BaseException | None:
        """Why it has failed; None if it has not."""
        return self._ending.error

    @property
    def withdrawn(self) -> bool:
        """Whether `cancel` was called, even if it came too late to stop the work."""
        return self._withdrawn

    def cancel(self) -> bool:
        """Cancel it: none of its callbacks is called any more, except `on_cancel`. False if it has ended already.

        A queued job never begins, and the process of a running one is killed. A thread cannot be: it goes on until its
        function calls `progress`, or looks at `cancelled()`; the job is "cancelled" at once all the same.
        """
        with self._lock:
            self._withdrawn = True
        return self.end(Ending(JobState.CANCELLED))

    # What the server says of it.

    def begin(self) -> bool:
        """It runs from now on; False if it was cancelled before."""
        with self._lock:
            if JobState.RUNNING not in NEXT[self._state]:
                return False
            self._state = JobState.RUNNING
            self._began_s = time.monotonic()
        self._tell_progress()
        return True

    def report(self, fraction: float | None, text: str) -> None:
        """It has got so far; nothing if it has ended."""
        if not self.over:
            self._progress = fraction, text
            self._tell_progress()

    def end(self, ending: Ending) -> bool:
        """It has ended so; False, and nothing changes, if it had ended before."""
        with self._lock:
            if ending.state not in NEXT[self._state]:
                return False
            self._ending = ending
            self._state = ending.state
            self._ended_s = time.monotonic()
            watchers = self._watchers
            on_end, self._on_end = self._on_end, _nothing  # it refers to the arguments, which may be large
            self._ahead = _none_ahead
        on_end()
        for watcher in watchers:
            watcher.ended()
        return True

    def _tell_progress(self) -> None:
        for watcher in self._watchers:
            watcher.progressed()

    def watch(self, watcher: Watcher) -> None:
        """Notify this watcher from now on; at once if the job has ended."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)
            over = self.over
        if over:
            watcher.ended()

    def unwatch(self, watcher: Watcher) -> None:
        """Notify this watcher no more."""
        with self._lock:
            self._watchers = tuple(each for each in self._watchers if each is not watcher)

    @property
    def watched(self) -> bool:
        """Whether a session is notified of it."""
        return bool(self._watchers)


def _nothing() -> None:
    """What is called when a job has ended that no pool has."""


def _none_ahead() -> int:
    return 0
