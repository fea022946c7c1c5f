"""The tasks of `pn.state.schedule_task`, while a server runs: in its loop, in one of its processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextvars import Context
from functools import partial

from app_server.guests.tasks import TASKS, Claims, Later, OwnTasks
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.task_claims import TaskClaims
from app_server.settings import Settings


class ServerTasks:
    """The tasks of one server, from its start until it drains or stops."""

    def __init__(self, settings: Settings, runtime_dir: RuntimeDir | None) -> None:
        shared = runtime_dir is not None and settings.tasks == "one"
        self._claims: Claims = TaskClaims(runtime_dir.folder) if runtime_dir is not None and shared else OwnTasks()
        self._begun = False

    def begin(self) -> None:
        """Run what is scheduled, in this loop."""
        self._begun = True
        TASKS.begin(_later(asyncio.get_running_loop()), self._claims)

    def end(self) -> None:
        """Run no more tasks; another process may go on with them. Idempotent."""
        if self._begun:
            self._begun = False
            TASKS.end()


def _later(loop: asyncio.AbstractEventLoop) -> Later:
    def later(delay_s: float, call: Callable[[], None]) -> None:
        # A task belongs to no session: a copied context would keep the document that is current now.
        waiting = partial(loop.call_later, delay_s, call, context=Context())
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(waiting)

    return later
