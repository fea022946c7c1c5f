"""`pn.state.schedule_task` and `pn.state.cancel_task`: tasks of the server's, in place of Panel's own."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
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

    A task that is there keeps its name: cancel it first. ValueError for times that make no sense, RuntimeError for a
    callback that ends with its session.
    """
    module = str(getattr(callback, "__module__", ""))
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
    TASKS.add(Task(name, callback, times, partial(_run, name, callback, threaded)))


def cancel_task(name: str, wait: bool = False) -> None:
    """Do not run the task any more, or with `wait` only once more. KeyError if there is none."""
    try:
        TASKS.cancel(name, after_next=wait)
    except KeyError:
        raise KeyError(f"no task is scheduled under the name {name!r}") from None


def _period(period: str | timedelta | None) -> timedelta | None:
    if not isinstance(period, str):
        return period
    found: timedelta | None = panel.util.parse_timedelta(period)
    if not found:
        raise ValueError(f"the period {period!r} is none such as 30s, 5m, 1h, 1d or 1w")
    return found


def _run(name: str, callback: Callable[..., Any], threaded: bool) -> None:
    """Run it as Panel runs callbacks: in its threads, in the loop if it is async, or here."""
    try:
        if inspect.iscoroutinefunction(callback):
            state.execute(_logged_coroutine(name, callback), schedule=False)
        else:
            state.execute(_logged(name, callback), schedule="thread" if threaded else False)
    except Exception:
        log.exception("Task %s cannot be run", name)


def _logged(name: str, callback: Callable[..., Any]) -> Callable[[], None]:
    @wraps(callback)
    def run() -> None:
        try:
            callback()
        except Exception:
            log.exception("Task %s raised an exception", name)

    return run


def _logged_coroutine(name: str, callback: Callable[..., Any]) -> Callable[[], Any]:
    @wraps(callback)
    async def run() -> None:
        try:
            await callback()
        except Exception:
            log.exception("Task %s raised an exception", name)

    return run
