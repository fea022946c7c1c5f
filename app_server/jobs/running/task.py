"""A job with what its pool needs to run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app_server.jobs.checking import label_of
from app_server.jobs.job import Job
from app_server.jobs.running.executors import ExecutorRunner
from app_server.jobs.running.naming import Key
from app_server.jobs.running.runners import Runner
from app_server.jobs.work import Work


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose job it is: `user` stands for who is logged in, and for the session if no one is."""

    application: str
    session: str
    user: str


def key_of(owner: Owner, name: str) -> Key:
    """What a job of this name is found by."""
    return owner.application, owner.user, name


class Host(Protocol):
    """What has the task; called in any thread."""

    def ended(self, task: Task) -> None: ...

    def ahead_of(self, task: Task) -> int: ...


class Task:
    """A job, its function, and what runs it; it is what the function reports to."""

    def __init__(
        self,
        host: Host,
        owner: Owner,
        work: Work,
        runner: Runner | ExecutorRunner,
        *,
        name: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self.owner = owner
        self.work = work
        self.runner = runner
        self.timeout_s = timeout_s
        label = label_of(work.function)
        self.job = Job(label, name, on_end=lambda: host.ended(self), ahead=lambda: host.ahead_of(self))

    @property
    def cancelled(self) -> bool:
        """Whether the function should return: what it does now is of no use any more."""
        return self.job.over

    def report(self, fraction: float | None, text: str) -> None:
        """The function has got so far."""
        self.job.report(fraction, text)


Make = Callable[[Host], Task]
"""Makes a task for the pool that is to have it."""
