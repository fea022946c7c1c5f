"""`pn.state.schedule_task` and `pn.state.cancel_task`: tasks of the server's, in place of Panel's own."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import panel.util
from panel.io.state import state

from app_server.document.pages.noop_output import APPLICATION_MODULE_PREFIX
from app_server.guests.due import At, due_times
from app_server.guests.tasks import TASKS, Task

log = logging.getLogger(__name__)

_of_panel = type(state).schedule_task


def schedule_task(
    name: str,
    callback: Callable[..., Any],
    at: At = None,
    period: str | timedelta | None = None,
    cron: str | None = None,
    threaded: bool = False,
) -> None:
    """Run the callback at a time, in a period or by a cron expression, in one of the server's processes.

    A task that is there keeps its name: cancel it first. ValueError or TypeError for times that make no sense,
    TypeError for what cannot be called, RuntimeError for a callback that ends with its session.
    """
    if not callable(callback):
        raise TypeError(f"task {name!r} needs a function, not {callback!r}")
    function = callback
    while isinstance(function, partial):
        function = function.func
    module = str(getattr(function, "__module__", ""))
    if module.partition(".")[0] == "panel":  # its own work, in each process
        _of_panel(state, name, callback, at, period, cron, threaded)
        return
    there = TASKS.get(name)
    if there is not None:
        if there.callback is not callback:
            what = "Task %s is scheduled already; the new one is ignored. Call pn.state.cancel_task(%r) first"
            log.warning(what, name, name)
        return
    if module.startswith(APPLICATION_MODULE_PREFIX):
        raise RuntimeError(
            f"task {name!r} would outlive the session whose script defines it. Import its function from a module, or "
            "schedule it in a file for --setup"
        )
    times = due_times(at, _period(period), cron)
    TASKS.add(Task(name, callback, times, TaskRuns(name, callback, threaded=threaded).begin))


def cancel_task(name: str, wait: bool = False) -> None:
    """Do not run the task any more, or with `wait` only once more. KeyError if there is none."""
    try:
        TASKS.cancel(name, after_next=wait)
    except KeyError:
        raise KeyError(f"no task is scheduled under the name {name!r}") from None


def _period(period: str | timedelta | None) -> timedelta | None:
    if period is None or isinstance(period, timedelta):
        return period
    try:
        found: timedelta | None = panel.util.parse_timedelta(period) if isinstance(period, str) else None
    except OverflowError:
        found = None
    if not found:
        raise ValueError(f"the period {period!r} is none such as 30s, 5m, 1h, 1d or 1w")
    return found


class TaskRuns:
    """The runs of one task, as Panel runs callbacks: in its threads, in the loop if it is async, or here.

    A run that takes longer than until the task's next time is not joined by a second one: a task that hangs would take
    all threads, one after another.
    """

    def __init__(self, name: str, callback: Callable[..., Any], *, threaded: bool) -> None:
        self._name, self._callback, self._threaded = name, callback, threaded
        self._is_async = inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__)
        self._running = threading.Lock()
        """Held from the begin of a run to its end, which may be in another thread."""
        self._left_out = False
        """Whether the log says already that this run takes so long."""

    def begin(self) -> None:
        """Run the task, unless it still runs. What it raises is logged."""
        if not self._running.acquire(blocking=False):
            if not self._left_out:
                self._left_out = True
                log.warning("Task %s still runs at its next time: it is not run again until that has ended", self._name)
            return
        self._left_out = False
        try:
            if self._is_async:
                state.execute(self._wait_for, schedule=False)
            else:
                state.execute(self._call, schedule="thread" if self._threaded else False)
        except Exception:
            self._running.release()
            log.exception("Task %s cannot be run", self._name)

    def _call(self) -> None:
        with self._logged():
            self._callback()

    async def _wait_for(self) -> None:
        with self._logged():
            await self._callback()

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            log.exception("Task %s raised an exception", self._name)
        finally:
            self._running.release()
