"""`with_locked_document`: a function that runs as a turn of its own, and whose result the caller awaits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from app_server.document.served import ServedDocument
from app_server.engine.turns.inbox import Submit
from app_server.errors import from_keyboard
from app_server.session.limits import FAULTS
from app_server.session.session import Session


class LockedCalls:
    """The locked calls of one session that have no answer yet."""

    def __init__(self, session: Session, submit: Submit) -> None:
        self._session = session
        self._submit = submit
        self._answers: set[asyncio.Future[Any]] = set()

    async def call(self, function: Callable[[ServedDocument], Any]) -> Any:
        """Run `function(document)`, and await what it returns, as a turn of its own; its result or exception.

        None, and nothing was run, if the session ends before its turn comes.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        self._submit(lambda: self._session.turn(lambda: self._run(function, answer), "with_locked_document"))
        return await answer

    async def _run(self, function: Callable[[ServedDocument], Any], answer: asyncio.Future[Any]) -> None:
        try:
            result = function(self._session.document)
            value = await result if inspect.isawaitable(result) else result
        except FAULTS as error:
            if isinstance(error, asyncio.CancelledError) and self._session.destroyed or from_keyboard(error):
                raise
            if not answer.done():
                answer.set_exception(_as_result(error))
        else:
            if not answer.done():
                answer.set_result(value)

    def stop(self) -> None:
        """Answer all calls with None: the session ends."""
        for answer in list(self._answers):
            if not answer.done():
                answer.set_result(None)


def _as_result(error: BaseException) -> BaseException:
    """This exception as a future may have it: a future does not take a StopIteration."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("the function raised StopIteration")
    wrapped.__cause__ = error
    return wrapped
