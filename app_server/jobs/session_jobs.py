"""The jobs of one session: submitted by it, found again by it, and ended with it."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app_server import system
from app_server.jobs.checking import check, check_name, check_seconds, label_of
from app_server.jobs.errors import JobError
from app_server.jobs.job import Job
from app_server.jobs.running.executors import ExecutorRunner, check_executor
from app_server.jobs.running.packing import pack
from app_server.jobs.running.pool import JobPool
from app_server.jobs.running.runners import ProcessRunner, Runner, ThreadRunner
from app_server.jobs.running.task import Host, Owner, Task, key_of
from app_server.jobs.state import JobState
from app_server.jobs.watching import Callbacks, SessionWatcher
from app_server.jobs.work import Work

log = logging.getLogger(__name__)

_MOST_LOST: Final = 100
_LONGEST_TEXT: Final = 200
"""How many characters of a job's text are saved with its session."""


@dataclass(frozen=True, slots=True)
class Modules:
    """Where the application's own modules are: its folder, and what makes its helpers the ones of their names."""

    folder: str | None = None
    prepare: Callable[[], None] = lambda: None

    def path(self, function: Any) -> Sequence[str]:
        """Where a process that calls this function finds modules; those beside the function first."""
        first = dict.fromkeys(place for place in (self.folder, _home_of(function)) if place is not None)
        return [*first, *(place for place in sys.path if place not in first)]


def _home_of(function: Any) -> str | None:
    """The folder that the function's module, or the package around that, is imported from; None if it has no file."""
    while isinstance(function, functools.partial):
        function = function.func
    module = sys.modules.get(str(getattr(function, "__module__", "")).partition(".")[0])
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    path = Path(file)
    return str(path.parents[1] if path.name == "__init__.py" else path.parent)


@dataclass(frozen=True, slots=True)
class Order:
    """What `submit` was asked for, beside the function: `where` it runs, by which `name` it is found, how long."""

    where: Any = "thread"
    name: str | None = None
    keep_s: float = 600.0
    timeout_s: float | None = None

    def check(self) -> None:
        """Raise JobError for a name that is not a string, and for times that are not numbers."""
        if self.name is not None:
            check_name(self.name)
        check_seconds("keep_s", self.keep_s)
        if self.timeout_s is not None:
            check_seconds("timeout_s", self.timeout_s)


class SessionJobs:
    """What `submit` and `find` do for one session, whose turns `document` schedules.

    `saved` is what `as_saved` had returned before the session was restored, maybe in another process.
    """

    def __init__(
        self,
        pool: JobPool,
        owner: Owner,
        document: Any,
        *,
        modules: Modules | None = None,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._document = document
        self._modules = modules or Modules()
        self._lost = _read(saved or {})
        self._watchers: dict[Job, SessionWatcher] = {}
        """The jobs whose end the session has not been shown."""
        self._name = f"{owner.application} session {owner.session[:8]}…"

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], callbacks: Callbacks,
        order: Order,
    ) -> Job:  # fmt: skip
        """A new job. JobsFull if there are too many, JobError if it cannot be done so."""
        check(function, args, kwargs)
        order.check()
        if self._document is None:
            raise JobError("the session has ended", where=label_of(function), hint="Check job.state in its thread")
        name = order.name
        if name is not None:
            self._check_free(name)
        work = Work(function, args, kwargs)
        runner = self._runner(work, order.where)
        made: list[Job] = []

        def make(host: Host) -> Task:
            task = Task(host, self._owner, work, runner, name=name, timeout_s=order.timeout_s)
            made.append(task.job)
            self._watch(task.job, callbacks)
            if name is not None:
                self._pool.named.add(key_of(self._owner, name), task.job, order.keep_s)
            return task

        try:
            job = self._pool.submit(make)
        except BaseException:
            runner.stop()
            self._take_back(made, name)
            raise
        if name is not None:
            self._lost.pop(name, None)
        return job

    def _take_back(self, made: Sequence[Job], name: str | None) -> None:
        """Forget what was refused."""
        for job in made:
            job.unwatch(self._watchers.pop(job))
            if name is not None:
                self._pool.named.drop(key_of(self._owner, name), job)

    def _check_free(self, name: str) -> None:
        existing = self._pool.named.find(key_of(self._owner, name))
        if existing is not None and not existing.over:
            hint = f"Find it with find({name!r}), or cancel it first"
            raise JobError(f"a job named {name!r} is {existing.state} already", where="submit", hint=hint)

    def _runner(self, work: Work, where: Any) -> Runner | ExecutorRunner:
        if where == "thread":
            return ThreadRunner(work, self._hold_names())
        if where == "process":
            _check_processes(label_of(work.function))
            self._modules.prepare()
            return ProcessRunner(
                pack(work.function, work.args, work.kwargs), self._modules.path(work.function), label_of(work.function)
            )
        check_executor(where)
        return ExecutorRunner(where, work, self._hold_names())

    def _hold_names(self) -> Callable[[], None]:
        """Let the function find its script's names after the session's end too, until what is returned is called."""
        hold: Callable[[], Callable[[], None]] | None
        hold = getattr(getattr(self._document, "modules", None), "hold", None)  # another server has none
        return _nothing if hold is None else hold()

    def _watch(self, job: Job, callbacks: Callbacks) -> None:
        watcher = self._watchers[job] = SessionWatcher(job, self._name, callbacks, self._tick, self._shown)
        job.watch(watcher)

    def _shown(self, job: Job) -> None:
        self._watchers.pop(job, None)

    def _tick(self, call: Callable[[], Any]) -> None:
        """Have the session call this in a turn of its own; nothing if it has ended. From any thread."""
        document = self._document
        if document is not None:
            with suppress(RuntimeError):  # it has ended a moment ago
                document.add_next_tick_callback(call)

    def find(self, name: str, callbacks: Callbacks) -> Job | None:
        """The job of this name, which calls these from now on too; one that was lost has the state "lost".

        None if there is none. If it has ended already, its end is shown again.
        """
        check_name(name)
        lost = self._lost.pop(name, None)
        job = self._pool.named.find(key_of(self._owner, name)) or lost
        if job is not None and job is lost:
            self._pool.note_lost(self._owner.application)
            log.warning("%s: the job %s was lost with its process at %s", self._name, name, _how_far(job))
        if job is not None and callbacks != Callbacks():
            before = self._watchers.pop(job, None)
            if before is not None:
                job.unwatch(before)
            self._watch(job, callbacks)
        return job

    def as_saved(self) -> dict[str, Any]:
        """What is saved with the session: its named jobs whose end it has not been shown, and where they are."""
        mine = {job.name: job for job in list(self._watchers) if job.name is not None and not job.withdrawn}
        return {str(name): _saved(job) for name, job in {**self._lost, **mine}.items()}

    def end(self, *, keeps: bool = True) -> None:
        """The session ends: cancel its jobs, but let named ones go on for their time, if it `keeps` them."""
        self._document = None
        watchers, self._watchers = self._watchers, {}
        for job, watcher in watchers.items():
            job.unwatch(watcher)
            if job.name is None or not keeps:
                job.cancel()
            elif not job.watched:
                self._pool.named.leave(key_of(self._owner, job.name))


def _nothing() -> None:
    """What is done for a document that holds no names."""


def _how_far(job: Job) -> str:
    return f"{100 * job.fraction:.0f} %" if job.fraction is not None else "an unknown point"


def _saved(job: Job) -> dict[str, Any]:
    fraction = None if job.fraction is None else round(job.fraction, 3)
    return {"label": job.label, "fraction": fraction, "text": job.text[:_LONGEST_TEXT]}


def _read(saved: Mapping[str, Any]) -> dict[str, Job]:
    """The jobs that are lost, unless they are still here; what is malformed is left out."""
    found: dict[str, Job] = {}
    for name, said in list(saved.items())[:_MOST_LOST]:
        with suppress(AttributeError, TypeError, ValueError):
            fraction = None if said.get("fraction") is None else float(said["fraction"])
            found[name] = Job(
                str(said.get("label", "")), name, state=JobState.LOST, fraction=fraction, text=str(said.get("text", ""))
            )
    return found


def _check_processes(label: str) -> None:
    """Raise JobError if a job's process could not be given its connection, nor be killed with what it has started."""
    if not system.can_fork():
        hint = 'Leave out where="process": a thread does the work'
        raise JobError(f"needs a process of its own, which has no connection on {system.NAME}", where=label, hint=hint)
