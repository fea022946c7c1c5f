"""A job with what runs it."""

from __future__ import annotations

from app_server.jobs.running.runners import ThreadRunner
from app_server.jobs.running.task import Owner, Task, key_of
from app_server.jobs.work import Work
from tests.unit.jobs.making import in_steps

OWNER = Owner("/app", "one", "ada")


class Host:
    """Notes what has ended."""

    def __init__(self) -> None:
        self.said: list[Task] = []

    def ended(self, task: Task) -> None:
        self.said.append(task)

    def ahead_of(self, task: Task) -> int:
        return 7


def test_task_tells_its_host_of_the_end_and_asks_it_for_the_place() -> None:
    host, work = Host(), Work(in_steps, (1,), {})
    task = Task(host, OWNER, work, ThreadRunner(work), name="fit")
    assert (task.job.name, task.job.label, task.job.ahead, task.cancelled) == ("fit", "in_steps", 7, False)
    task.report(0.5, "half")
    assert (task.job.fraction, task.job.text) == (0.5, "half")
    task.job.cancel()
    assert task.cancelled and host.said == [task]


def test_name_belongs_to_an_application_and_a_user() -> None:
    assert key_of(OWNER, "fit") == ("/app", "ada", "fit")
