"""Tasks that applications schedule for their server: when each is due, and that one process runs it.

They belong to the process, not to a session. No clock and no loop is known here: a server that begins passes on how to
call something later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

log = logging.getLogger(__name__)

Later = Callable[[float, Callable[[], None]], None]
"""Calls a function in the server's loop, after so many seconds; may be called from any thread."""

_LONGEST_WAIT_S = 60.0
"""Wall clocks are set and machines sleep: when a task is due is looked at again after this time."""


class Claims(Protocol):
    """What the processes of a server agree on: which of them runs a task."""

    def mine(self, name: str) -> bool:
        """Whether the task of this name is this process's to run, now and until it stops."""

    def cancel(self, name: str) -> None:
        """Let no process run what has been scheduled under this name until now."""

    def cancelled(self, name: str, since_ns: int) -> bool:
        """Whether a process has cancelled it since then, in nanoseconds since the epoch."""

    def release(self) -> None:
        """Leave all tasks to other processes."""


class OwnTasks:
    """The claims of a process that has no others beside it: everything is its own."""

    def mine(self, name: str) -> bool:
        """It is."""
        return True

    def cancel(self, name: str) -> None:
        """No other process has to know of it."""

    def cancelled(self, name: str, since_ns: int) -> bool:
        """No other process has done so."""
        return False

    def release(self) -> None:
        """No other process waits for them."""


@dataclass(frozen=True, eq=False)
class Task:
    """A task: `due` has the times at which it runs, in seconds since the epoch; `run` runs it, and logs its faults."""

    name: str
    callback: Callable[..., Any]
    due: Iterator[float]
    run: Callable[[], None] = field(repr=False)
    scheduled_ns: int = field(default_factory=time.time_ns)


class TaskSchedule:
    """The tasks of this process. They wait until a server begins, and end with the last one that has begun."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._lock = threading.RLock()
        self._tasks: dict[str, Task] = {}
        self._last: set[Task] = set()
        """Those that run once more."""
        self._left: set[Task] = set()
        """Those that another process runs, which the log says once."""
        self._claims: Claims = OwnTasks()
        self._later: Later | None = None
        self._servers = 0
        self._elsewhere = False

    def begin(self, later: Later, claims: Claims) -> None:
        """A server begins: run the tasks that this process claims."""
        with self._lock:
            self._servers += 1
            if self._later is None:
                self._later, self._claims, self._elsewhere = later, claims, False
                for task in list(self._tasks.values()):
                    self._arm(task)

    def end(self) -> None:
        """A server ends; with the last one, the tasks do."""
        with self._lock:
            self._servers -= 1
            if self._servers <= 0:
                self._servers, self._later = 0, None
                self._tasks.clear()
                self._last.clear()
                self._claims.release()

    def leave_to_others(self) -> None:
        """This process has only one session, and runs no tasks: the server's other processes do."""
        with self._lock:
            self._elsewhere = True

    def get(self, name: str) -> Task | None:
        """The task of this name, if there is one."""
        return self._tasks.get(name)

    def add(self, task: Task) -> None:
        """Run this task when it is due, in place of one of the same name."""
        with self._lock:
            if self._elsewhere:
                if task.name not in self._tasks:  # else, the setup file has scheduled it for the others
                    what = "%s is not scheduled: this process ends with its session. Schedule it in a file for --setup"
                    log.warning(what, task.name)
                return
            self._tasks[task.name] = task
            if self._later is not None:
                self._arm(task)

    def cancel(self, name: str, *, after_next: bool = False) -> None:
        """Do not run this task any more, or only once more. KeyError if there is none."""
        with self._lock:
            task = self._tasks[name]
            if after_next:
                self._last.add(task)
            else:
                del self._tasks[name]
            self._claims.cancel(name)

    def _arm(self, task: Task) -> None:
        """Wait for the task's next time; forget it if there is none."""
        try:
            due_s = next(task.due, None)
        except Exception:
            log.exception("Task %s has no next time: its times raised an exception", task.name)
            due_s = None
        if due_s is None:
            self._forget(task)
        else:
            self._wait(task, due_s)

    def _is_over(self, task: Task) -> bool:
        return self._tasks.get(task.name) is not task

    def _forget(self, task: Task) -> None:
        self._last.discard(task)
        if self._tasks.get(task.name) is task:
            del self._tasks[task.name]

    def _wait(self, task: Task, due_s: float) -> None:
        if self._later is not None:
            delay_s = min(max(0.0, due_s - self._now_s()), _LONGEST_WAIT_S)
            self._later(delay_s, partial(self._look, task, due_s))

    def _look(self, task: Task, due_s: float) -> None:
        """Run the task if it is due, and wait for its next time."""
        with self._lock:
            if self._later is None or self._is_over(task):
                return
            if self._now_s() < due_s:
                self._wait(task, due_s)
                return
            if task not in self._last and self._claims.cancelled(task.name, task.scheduled_ns):
                self._forget(task)
                return
            mine = self._claims.mine(task.name)
            if task in self._last:
                self._forget(task)
            else:
                self._arm(task)
        if mine:
            task.run()
        elif task not in self._left:
            self._left.add(task)
            log.info("Task %s runs in another worker process. To run it in each, give --tasks every", task.name)


TASKS = TaskSchedule()
"""Those of this process."""
