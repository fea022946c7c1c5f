"""The exceptions of an application that a test must not miss: those that are logged, and those of threads."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app_server.errors import ApplicationError, AppServerError
from app_server.session.session import Session
from app_server.testing.errors import AppFailure


class Failures(logging.Handler):
    """Notes each exception once: of callbacks and hooks, of tasks and threads, and what the application logs.

    It is the handler that is shown all logs, and the observer of the sessions.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.ERROR)
        self._loop = loop
        self._found: list[BaseException] = []
        self._known: list[BaseException] = []
        self._other_threads: set[int | None] = set()

    def note(self, error: BaseException) -> None:
        """Note this exception, unless it was noted before."""
        # What the server logs of it may be a description that has the exception as its cause.
        cause = error.__cause__ if isinstance(error, AppServerError) and error.__cause__ is not None else error
        if not any(cause is each for each in self._known):
            self._known.append(cause)
            self._found.append(cause)

    def take(self) -> list[BaseException]:
        """The exceptions since the last time."""
        found, self._found = self._found, []
        return found

    def emit(self, record: logging.LogRecord) -> None:
        """A line was logged, by whatever runs in this process."""
        error = record.exc_info[1] if record.exc_info else None
        # What asyncio logs may be of another loop, whose task was garbage; each loop says so itself.
        if error is not None and record.name != "asyncio" and self._is_of_the_application(record.thread):
            self.note(error)

    def _is_of_the_application(self, thread: int | None) -> bool:
        """Whether what is logged now comes from the loop, or from a thread that was started since it is watched."""
        running = asyncio._get_running_loop()
        return running is self._loop or (running is None and thread not in self._other_threads)

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A task or callback of the loop has raised something, and nothing awaits it."""
        if (error := context.get("exception")) is not None:
            self.note(error)
        loop.default_exception_handler(context)

    # The observer of sessions.

    def begun(self, session: Session) -> None:
        """A session was built."""

    def failed(self) -> None:
        """A session's code raised the exception that is at hand."""
        error = sys.exc_info()[1]
        if error is not None:
            self.note(error)

    def ended(self, session: Session) -> None:
        """A session has ended."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A block in which they are noted."""
        root = logging.getLogger()
        self._other_threads = {thread.ident for thread in threading.enumerate()}
        root.addHandler(self)
        _THREADS.add(self)
        self._loop.set_exception_handler(self._unhandled)
        try:
            yield
        finally:
            root.removeHandler(self)
            _THREADS.remove(self)


class _Threads:
    """Those who note what threads raise: one hook for all, as they may end in any order."""

    def __init__(self) -> None:
        self._noting: list[Failures] = []
        self._before: Callable[[Any], Any] = threading.excepthook

    def add(self, failures: Failures) -> None:
        if not self._noting:
            self._before = threading.excepthook
            _set_hook(self._raised)
        self._noting.append(failures)

    def remove(self, failures: Failures) -> None:
        self._noting.remove(failures)
        # Else it was replaced meanwhile, and is another one's to put back.
        if not self._noting and threading.excepthook == self._raised:
            _set_hook(self._before)

    def _raised(self, arguments: Any) -> None:
        if arguments.exc_value is not None and arguments.exc_type is not SystemExit:
            for failures in list(self._noting):
                failures.note(arguments.exc_value)
        self._before(arguments)


def _set_hook(hook: Callable[[Any], Any]) -> None:
    threading.excepthook = hook


_THREADS = _Threads()


def failure_of(errors: list[BaseException], describe: Callable[[BaseException], ApplicationError]) -> AppFailure:
    """The failure that these exceptions are."""
    first, *others = errors
    described = first if isinstance(first, ApplicationError) else describe(first)
    what = described.what if described.where is None else f"{described.where}: {described.what}"
    more = f" (and {len(others)} more, in `errors`)" if others else ""
    failure = AppFailure(what + more, tuple(errors))
    failure.__cause__ = first.__cause__ if isinstance(first, ApplicationError) and first.__cause__ else first
    return failure
