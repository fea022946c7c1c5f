"""A loop that outlives what an application's tasks and callbacks raise.

asyncio ends a loop for a SystemExit or KeyboardInterrupt in any of its tasks and callbacks. An application may call
sys.exit() in a task, a timer or a handler of its own; that must not end the sessions of all others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from app_server.apps import Application
from app_server.engine.loop import loop_factory
from app_server.errors import AppServerError, from_keyboard

log = logging.getLogger(__name__)

T = TypeVar("T")


@contextmanager
def blamed(application: Application) -> Iterator[None]:
    """A block in which the application's code may run, such as its template: what it raises is its error."""
    try:
        yield
    except AppServerError:
        raise
    except BaseException as error:
        if not is_fault(error):
            raise
        raise application.error_from(error) from error


def is_fault(error: BaseException) -> bool:
    """Whether the application is to blame for what its code raised: not for Ctrl-C, nor for the end of this task."""
    return not (from_keyboard(error) or (isinstance(error, asyncio.CancelledError) and _is_cancelled()))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def run(main: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, run in a loop of its own as by `asyncio.run`; Ctrl-C ends it."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return run_in(runner.get_loop(), main)


def run_in(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, run in this loop, whatever other tasks raise meanwhile."""
    task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done() or not is_fault(error):
                raise
            log.exception("A task of the application raised %s; the server continues", type(error).__name__)
