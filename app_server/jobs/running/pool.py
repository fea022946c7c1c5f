"""The jobs of one process: which are running, which are queued, and whose turn it is.

A job in a thread or a process takes one of `max_running` places until the thread has returned or the process has
exited, even if it was cancelled long before: what computes keeps a core busy. The next job is the oldest one of those
users who have the fewest running, so a user who queues fifty keeps no other waiting for all of them.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app_server.jobs.errors import JobCancelled, JobsFull, JobTimeout
from app_server.jobs.job import Ending, Job
from app_server.jobs.running.executors import ExecutorRunner
from app_server.jobs.running.later import call_later
from app_server.jobs.running.naming import NamedJobs
from app_server.jobs.running.task import Make, Task, key_of
from app_server.jobs.state import JobState
from app_server.observe.gauges import ApplicationGauges

log = logging.getLogger(__name__)

_STUCK_S: Final = 10.0
"""How long a job that was cancelled may go on before the log says so."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """How many jobs a process runs at once, how many more may be queued, and how many a user may have (0: no limit)."""

    max_running: int = 4
    max_queued: int = 100
    max_per_user: int = 0


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs there are at a moment."""

    running: int
    queued: int


class JobPool:
    """Runs the jobs of all applications in this process; `gauges` has what is counted of an application."""

    def __init__(
        self, limits: JobLimits | None = None, gauges: Callable[[str], ApplicationGauges] | None = None
    ) -> None:
        self._limits = limits or JobLimits()
        self._gauges = gauges or _gauges_of_one()
        self.named = NamedJobs()
        self._lock = threading.RLock()
        self._queued: list[Task] = []
        self._running: set[Task] = set()
        self._outside: set[Task] = set()
        """The tasks in executors of applications."""

    def submit(self, make: Make) -> Job:
        """A new job, which begins now or as soon as it is its turn. JobsFull if there are too many."""
        task = make(self)
        outside = isinstance(task.runner, ExecutorRunner)
        with self._lock:
            self._check_room(task, outside=outside)
            (self._outside.add if outside else self._queued.append)(task)
        if isinstance(task.runner, ExecutorRunner):
            self._hand_over(task, task.runner)
        else:
            self._begin_next()
        return task.job

    def _check_room(self, task: Task, *, outside: bool) -> None:
        limits, user = self._limits, task.owner.user
        # Those that were cancelled and go on are among them: they keep others waiting as well.
        if limits.max_per_user and sum(each.owner.user == user for each in self._tasks()) >= limits.max_per_user:
            what = f"you have {limits.max_per_user} jobs already"
            raise self._refused(task, what, "Cancel one, or wait. The limit is --max-jobs-per-user")
        if outside:
            full = len(self._outside) >= limits.max_running + limits.max_queued
        else:
            full = len(self._queued) >= limits.max_queued + max(0, limits.max_running - len(self._running))
        if full:
            here = len(self._running) + len(self._outside)
            what = f"the server is busy with other jobs: {here} running, {len(self._queued)} queued"
            raise self._refused(task, what, "Try again later. The limits are --max-jobs and --max-queued-jobs")

    def _refused(self, task: Task, what: str, hint: str) -> JobsFull:
        self._gauges(task.owner.application).job_ended("refused")
        return JobsFull(what, where=task.job.label, hint=hint)

    def _tasks(self) -> list[Task]:
        with self._lock:
            return [*self._running, *self._outside, *self._queued]

    # A task's way.

    def _begin_next(self) -> None:
        while True:
            with self._lock:
                task = self._next() if len(self._running) < self._limits.max_running else None
                if task is None:
                    return
                self._queued.remove(task)
                self._running.add(task)
            try:
                threading.Thread(target=self._work, args=(task,), name=f"job {task.job.label}", daemon=True).start()
            except RuntimeError as error:  # the system allows no more threads
                with self._lock:
                    self._running.discard(task)
                task.job.end(Ending(JobState.FAILED, error=error))

    def _next(self) -> Task | None:
        busy = Counter(task.owner.user for task in self._running)
        return min(self._queued, key=lambda task: busy[task.owner.user], default=None)

    def _work(self, task: Task) -> None:
        """Do a job's work in its own thread."""
        try:
            if task.job.begin():
                with _Deadline(task):
                    task.job.end(_ending_of(task))
        finally:
            with self._lock:
                self._running.discard(task)
            self._begin_next()

    def _hand_over(self, task: Task, runner: ExecutorRunner) -> None:
        deadline = _Deadline(task)

        def done(ending: Ending) -> None:
            deadline.cancel()
            with self._lock:
                self._outside.discard(task)
            task.job.end(ending)

        try:
            runner.begin(task, done)
        except BaseException:
            with self._lock:
                self._outside.discard(task)
            raise
        task.job.begin()
        deadline.begin()

    def ended(self, task: Task) -> None:
        """A job has ended: because its work has, or before that, and then the work is stopped."""
        job = task.job
        with self._lock:
            self._gauges(task.owner.application).job_ended(job.state.value, job.seconds)
            if task in self._queued:
                self._queued.remove(task)
            running = task in self._running
        if job.state is JobState.FAILED and not job.watched:
            log.error(
                "%s: the job %s failed, and no session is there for it",
                task.owner.application, job.name or job.label, exc_info=job.error,
            )  # fmt: skip
        if job.name is not None:
            self.named.leave(key_of(task.owner, job.name))
        task.runner.stop()
        if running and (job.state is JobState.CANCELLED or isinstance(job.error, JobTimeout)):
            self._look_whether_stuck(task)

    def _look_whether_stuck(self, task: Task) -> None:
        how = "was cancelled" if task.job.state is JobState.CANCELLED else "timed out"

        def look() -> None:
            if task in self._running:
                log.warning(
                    "%s: the job %s %s %g s ago and goes on: it calls neither progress() nor cancelled()."
                    ' It takes one of the %d places of --max-jobs. Submit it with where="process"',
                    task.owner.application, task.job.label, how, _STUCK_S, self._limits.max_running,
                )  # fmt: skip

        call_later(_STUCK_S, look)

    # What others want to know, and the end.

    def ahead_of(self, task: Task) -> int:
        """How many queued jobs are older than this one."""
        with self._lock:
            return self._queued.index(task) if task in self._queued else 0

    def count(self, application: str) -> JobCount:
        """The jobs of an application at this moment; one that was cancelled runs until its thread has returned."""
        with self._lock:
            here = [task for task in (*self._running, *self._outside) if task.owner.application == application]
            return JobCount(len(here), sum(task.owner.application == application for task in self._queued))

    def note_lost(self, application: str) -> None:
        """A session was told of a job that had ended with another process."""
        with self._lock:
            self._gauges(application).job_ended(JobState.LOST.value)

    def cancel_all(self, application: str) -> None:
        """Cancel all jobs of an application; nothing is waited for."""
        for task in self._tasks():
            if task.owner.application == application:
                task.job.cancel()


def _ending_of(task: Task) -> Ending:
    runner = task.runner
    assert not isinstance(runner, ExecutorRunner), "a task of an executor is handed over"
    try:
        return Ending(JobState.DONE, runner.run(task))
    except JobCancelled:
        return Ending(JobState.CANCELLED)
    except BaseException as error:
        return Ending(JobState.FAILED, error=error)


def _gauges_of_one() -> Callable[[str], ApplicationGauges]:
    gauges = ApplicationGauges()
    return lambda application: gauges


class _Deadline:
    """Lets a job fail that takes longer than its `timeout_s`."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *exception: object) -> None:
        self.cancel()

    def begin(self) -> None:
        if self._task.timeout_s is not None:
            self._timer = call_later(self._task.timeout_s, self._fail)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _fail(self) -> None:
        job, limit_s = self._task.job, self._task.timeout_s
        error = JobTimeout(f"took longer than its timeout_s ({limit_s:g} s)", where=job.label)
        job.end(Ending(JobState.FAILED, error=error))
