"""The threads in which Panel runs callbacks, by the server's settings."""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future
from typing import Any

from panel.config import config
from panel.io.state import state

from app_server.errors import OperatorError

log = logging.getLogger(__name__)

_of_panel = type(state)._handle_future_exception


def use_threads(count: int) -> None:
    """Run callbacks in so many of Panel's threads, which begin when they are needed. Idempotent.

    OperatorError if Panel's own variable says another number.
    """
    own = os.environ.get("PANEL_NUM_THREADS")
    if own is not None and own != str(count):
        what = f"PANEL_NUM_THREADS is {own}, but --num-threads is {count}"
        raise OperatorError(what, where="--num-threads", hint="Leave one of them out")
    if state._thread_pool is None:
        config.nthreads = count


def report_failure(self: Any, future: Future[Any], doc: Any = None) -> None:
    """Log what a callback has raised in one of the threads; an application's own handler of exceptions gets it first.

    Panel raises it again there. A SystemExit would end the thread, and after as many as there are threads, no callback
    would be called any more.
    """
    if future.cancelled():
        return
    try:
        _of_panel(self, future, doc)
    except BaseException:
        session = getattr(getattr(doc, "session_context", None), "session", None)
        if session is None:
            log.exception("A callback in a thread raised an exception")
        else:
            session.log_failure("a callback in a thread")
