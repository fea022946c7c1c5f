"""Jobs that are found again by their names: after a reload, from another page of the same user, by a restored session.

A name belongs to an application and a user, or to the session if its user is not logged in. A named job may go on
without a session for `keep_s` seconds, and its result is kept as long when it has ended.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Final, TypeAlias

from app_server.jobs.job import Job
from app_server.jobs.running.later import call_later

Key: TypeAlias = tuple[str, str, str]
"""The application, the user, and the name."""

_MOST: Final = 1000
"""How many are kept that have ended; the oldest make room."""


@dataclass(slots=True)
class _Kept:
    job: Job
    keep_s: float
    until_s: float = math.inf
    """How long it is kept, by the monotonic clock: endlessly while it runs for a session."""

    def leave(self) -> None:
        """Keep it for its time from now on."""
        self.until_s = time.monotonic() + self.keep_s

    def is_over(self, now_s: float) -> bool:
        """Whether it need not be kept any more; what a session has found again meanwhile goes on."""
        if self.job.watched and not self.job.over:
            self.until_s = math.inf
        return self.until_s <= now_s


class NamedJobs:
    """The named jobs of a process. Its methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Key, _Kept] = {}
        self._timer: threading.Timer | None = None
        """Looks for jobs whose time is up: one thread for all of them."""
        self._looks_s = math.inf
        """When it does."""

    def find(self, key: Key) -> Job | None:
        """The job of this name; None if there is none any more."""
        kept = self._kept.get(key)
        return None if kept is None else kept.job

    def add(self, key: Key, job: Job, keep_s: float) -> None:
        """Keep this job, in place of one of the same name that has ended."""
        with self._lock:
            self._kept[key] = _Kept(job, keep_s)
            ended = [each for each, kept in self._kept.items() if kept.job.over]
            for each in ended[: max(0, len(ended) - _MOST)]:
                del self._kept[each]

    def drop(self, key: Key, job: Job) -> None:
        """Keep this job no more."""
        with self._lock:
            if self.find(key) is job:
                del self._kept[key]

    def leave(self, key: Key) -> None:
        """The job has ended, or its last session has: keep it for its time, and cancel it then if it still runs."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return
            kept.leave()
            self._look_at(kept.until_s)

    def _look_at(self, due_s: float) -> None:
        """Look at this time, if not before."""
        if due_s < self._looks_s:
            if self._timer is not None:
                self._timer.cancel()
            self._looks_s = due_s
            self._timer = call_later(max(0.0, due_s - time.monotonic()), self._look)

    def _look(self) -> None:
        now_s = time.monotonic()
        with self._lock:
            self._looks_s = math.inf
            over = [(key, kept.job) for key, kept in self._kept.items() if kept.is_over(now_s)]
            for key, _ in over:
                del self._kept[key]
            self._look_at(min((kept.until_s for kept in self._kept.values()), default=math.inf))
        for _, job in over:
            job.cancel()
