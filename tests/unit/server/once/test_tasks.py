"""Tasks run while a server does, in its loop and outside of every session."""

from __future__ import annotations

import asyncio
import contextvars
from pathlib import Path

import pytest

from app_server.guests.tasks import OwnTasks, Task, TaskSchedule
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.task_claims import TaskClaims
from app_server.server.once import tasks
from app_server.server.once.tasks import ServerTasks
from app_server.settings import Settings
from tests.support.waiting import until_soon

current = contextvars.ContextVar("current", default="")


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> TaskSchedule:
    """The tasks of this test's process."""
    own = TaskSchedule()
    monkeypatch.setattr(tasks, "TASKS", own)
    return own


async def test_task_runs_in_the_loop_without_the_context_that_has_scheduled_it(schedule: TaskSchedule) -> None:
    server = ServerTasks(Settings(), None)
    server.begin()
    current.set("a session")
    runs: list[tuple[str, bool]] = []
    loop = asyncio.get_running_loop()
    task = Task("a", len, iter([0.0, 0.0]), lambda: runs.append((current.get(), asyncio.get_running_loop() is loop)))
    await asyncio.to_thread(schedule.add, task)
    await until_soon(lambda: len(runs) == 2)
    assert runs == [("", True)] * 2
    server.end()
    server.end()
    schedule.add(Task("b", len, iter([0.0]), lambda: runs.append(("late", True))))
    await asyncio.sleep(0)
    assert len(runs) == 2


async def test_processes_of_a_server_agree_unless_every_one_is_to_run_tasks(
    schedule: TaskSchedule, tmp_path: Path
) -> None:
    folder = RuntimeDir(tmp_path)
    for settings, place, kind in (
        (Settings(), folder, TaskClaims), (Settings(tasks="every"), folder, OwnTasks), (Settings(), None, OwnTasks),
    ):  # fmt: skip
        assert type(ServerTasks(settings, place)._claims) is kind


async def test_loop_that_is_closed_takes_no_more_tasks() -> None:
    loop = asyncio.new_event_loop()
    later = tasks._later(loop)
    loop.close()
    called: list[str] = []
    later(0.0, lambda: called.append("late"))
    assert not called
