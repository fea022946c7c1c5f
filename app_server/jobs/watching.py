"""How a job's progress, result and failure come back to a session: as next-tick callbacks, in their order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app_server.jobs.job import Job
from app_server.jobs.state import JobState

log = logging.getLogger(__name__)

Tick = Callable[[Callable[[], Any]], None]
"""Has the session call this in a turn of its own, soon; from any thread."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the application wants to be called with; each may be `async`."""

    on_progress: Callable[[float | None, str], Any] | None = None
    on_result: Callable[[Any], Any] | None = None
    on_error: Callable[[BaseException], Any] | None = None
    on_cancel: Callable[[], Any] | None = None
    on_lost: Callable[[Job], Any] | None = None


class SessionWatcher:
    """Brings what happens to one job to one session.

    Of several reports only the newest is shown, and the next one is not queued before that: work that reports ten
    thousand times a second does not flood its session. `over` is called when the end was shown.
    """

    def __init__(self, job: Job, session: str, callbacks: Callbacks, tick: Tick, over: Callable[[Job], None]) -> None:
        self._job = job
        self._session = session
        self._callbacks = callbacks
        self._tick = tick
        self._over = over
        self._lock = threading.Lock()
        self._queued = False
        """Whether a turn that shows progress is queued."""

    def progressed(self) -> None:
        """Show the newest progress soon."""
        if self._callbacks.on_progress is None:
            return
        with self._lock:
            if self._queued:
                return
            self._queued = True
        self._tick(self._show_progress)

    def ended(self) -> None:
        """Show the end, after the progress that is queued."""
        self._tick(self._show_end)

    def _show_progress(self) -> Any:
        with self._lock:
            self._queued = False
        on_progress, job = self._callbacks.on_progress, self._job
        if on_progress is None or job.withdrawn or job.state is JobState.CANCELLED:
            return None
        return on_progress(job.fraction, job.text)

    def _show_end(self) -> Any:
        self._over(self._job)
        call = self._final_call()
        return None if call is None else call()

    def _final_call(self) -> Callable[[], Any] | None:
        job, callbacks = self._job, self._callbacks
        if job.withdrawn or job.state is JobState.CANCELLED:
            return callbacks.on_cancel
        if job.state is JobState.LOST:
            return None if callbacks.on_lost is None else partial(callbacks.on_lost, job)
        if job.state is JobState.DONE:
            return None if callbacks.on_result is None else partial(callbacks.on_result, job.result)
        if job.error is None:
            return None
        if callbacks.on_error is not None:
            return partial(callbacks.on_error, job.error)
        log.error("%s: the job %s failed; it has no on_error", self._session, job.label, exc_info=job.error)
        return None
