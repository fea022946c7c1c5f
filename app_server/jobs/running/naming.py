"""Jobs that are found again by their names: after a reload, from another page of the same user, by a restored session.

A name belongs to an application and a user, or to the session if its user is not logged in. A named job may go on
without a session for `keep_s` seconds, and its result is kept as long when it has ended.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
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
    since_s: float = field(default_factory=time.monotonic)
    """When it has ended, or its last session has."""

    def leave(self) -> None:
        """Keep it for its time from now on."""
        self.since_s = time.monotonic()

    @property
    def out_of_time(self) -> bool:
        """Whether it was kept for its time."""
        return time.monotonic() - self.since_s >= self.keep_s and not (self.job.watched and not self.job.over)


class NamedJobs:
    """The named jobs of a process. Its methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Key, _Kept] = {}

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
        call_later(kept.keep_s, lambda: self._expire(key, kept))

    def _expire(self, key: Key, kept: _Kept) -> None:
        with self._lock:
            if self._kept.get(key) is not kept or not kept.out_of_time:
                return
            del self._kept[key]
        kept.job.cancel()
