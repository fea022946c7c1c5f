"""Jobs in an executor of the application's own: concurrent.futures, dask.distributed, or what behaves like them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from app_server.jobs.checking import label_of
from app_server.jobs.errors import JobCancelled, JobError
from app_server.jobs.job import Ending
from app_server.jobs.reporting import Reporter
from app_server.jobs.state import JobState
from app_server.jobs.work import Work, forget, reach


def check_executor(executor: Any) -> None:
    """Raise JobError if this is nothing that a job can run in."""
    if not callable(getattr(executor, "submit", None)):
        what = f"where={executor!r} is not an executor"
        hint = 'Pass "thread", "process", or an object whose submit(function) returns a future'
        raise JobError(what, where="submit", hint=hint)


class ExecutorRunner:
    """Hands the function to an executor, which decides when it runs, and waits for nothing.

    `left` is called once, when the executor has done with the function, or has refused it.
    """

    def __init__(self, executor: Any, work: Work, left: Callable[[], None] = lambda: None) -> None:
        self._executor = executor
        self._work = work
        self._left = left
        self._lock = threading.Lock()
        self._future: Any = None
        self._begun = False
        self._stopped = False

    def begin(self, reporter: Reporter, done: Callable[[Ending], None]) -> None:
        """Submit the function; `done` is called once, in a thread of the executor's. JobError if it is refused."""
        work = self._work
        with self._lock:
            self._begun = True
        reach(work, reporter)
        try:
            future = self._executor.submit(work)
        except Exception as error:
            self._leave()
            what = f"the executor has refused it: {error}"
            raise JobError(what, where=label_of(work.function)) from error
        if not callable(getattr(future, "add_done_callback", None)):
            self._leave()
            raise JobError(f"the executor has returned {future!r}, not a future", where=label_of(work.function))
        with self._lock:
            self._future = future
            stopped = self._stopped
        future.add_done_callback(lambda future: self._over(future, done))
        if stopped:
            self.stop()

    def stop(self) -> None:
        """Cancel what has not begun; what runs ends if it notices."""
        with self._lock:
            begun, self._stopped, self._begun = self._begun, True, True
            future = self._future
        if not begun:
            self._leave()
        if future is not None:
            with suppress(Exception):  # the executor may be gone; the job is over for us
                future.cancel()

    def _leave(self) -> None:
        forget(self._work)
        self._left()

    def _over(self, future: Any, done: Callable[[Ending], None]) -> None:
        self._leave()
        with self._lock:
            self._future = None  # an executor may keep the result as long as this refers to it
        done(_ending_of(future))


def _ending_of(future: Any) -> Ending:
    try:
        if future.cancelled():
            return Ending(JobState.CANCELLED)
        return Ending(JobState.DONE, future.result())
    except (JobCancelled, CancelledError):
        return Ending(JobState.CANCELLED)
    except BaseException as error:
        return Ending(JobState.FAILED, error=error)
