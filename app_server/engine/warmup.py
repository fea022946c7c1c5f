"""What an application is run with before it has visitors: a visit, and a time limit, because it may never return."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, Final, Protocol

from app_server.document.served import ServedDocument
from app_server.engine.running import Running
from app_server.errors import ApplicationError
from app_server.security.visible_request import VisibleRequest

WARMUP_ID: Final = "warmup"
"""The id of the session that an application is run for before it has visitors."""

_AGAIN_S = 5.0
"""How long code that has caught the exception can go on until it gets the next one."""


class Visit(Protocol):
    """What the warmup of an application takes for its first visitor."""

    def ask(self) -> tuple[VisibleRequest, Mapping[str, Any]]:
        """The request for the page, and the session's token_payload. ApplicationError if a hook fails."""

    def show(self, document: ServedDocument) -> None:
        """Make the page. ApplicationError if that fails."""


class TooLong(BaseException):
    """Raised inside code that is over its time. Not an Exception, because applications catch those."""


@contextmanager
def deadline(limit_s: float, interruptible: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Raise TooLong in what runs in this block after so many seconds, if that is `interruptible` then; 0 for no limit.

    It reaches Python code and system calls, and native code when that returns. Only the main thread can be
    interrupted, and only if the system has SIGALRM and the program does not use it itself; in other cases the block
    has no limit.
    """
    if not limit_s or not _is_free():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if interruptible():
            raise TooLong(f"did not return within {limit_s:.3g} s")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _is_free() -> bool:
    if not hasattr(signal, "SIGALRM"):  # Windows
        return False
    return threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


@asynccontextmanager
async def time_limit(limit_s: float, running: Running, where: str) -> AsyncIterator[None]:
    """Interrupt this block after so many seconds, whether it awaits or not; 0 sets no limit.

    ApplicationError if it was interrupted, with the application's line, or `where` if it was in none of its lines.
    """
    hint = "If it needs longer, raise --start-timeout"
    what = f"did not return within {limit_s:.3g} s"
    try:
        with deadline(limit_s, lambda: bool(running.stack)):
            async with asyncio.timeout(limit_s or None):
                yield
    except (TimeoutError, TooLong) as error:  # TooLong strikes also our own code, such as what encodes the document
        raise ApplicationError(what, where=where, hint=hint) from error
    except ApplicationError as error:
        if isinstance(error.__cause__, TooLong):
            raise ApplicationError(what, where=error.where, hint=hint) from error.__cause__
        raise
