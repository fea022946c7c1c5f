"""Asks applications what else is to be saved: their on_session_saved, of all sessions at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from app_server.session.session import Session

log = logging.getLogger(__name__)

HOOK_WITHIN_S: Final = 5.0
"""How long saving waits for an application's on_session_saved."""

CallHook = Callable[[Session], Awaitable[Any]]


class Asking:
    """What hooks return. One that takes too long is given up, and not called again in its session before it has ended:
    it may not let itself be cancelled.
    """

    def __init__(self) -> None:
        self._asked: dict[Session, asyncio.Task[Any]] = {}

    async def answers(self, hooks: Mapping[Session, CallHook], within_s: float) -> dict[Session, Any]:
        """What the hooks of these sessions return, as far as they do so in time."""
        asked = {session: self._ask(session, hook) for session, hook in hooks.items() if session not in self._asked}
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=within_s)
        finally:
            late = {session: task for session, task in asked.items() if not task.done()}
            for task in late.values():
                task.cancel()
        for session in late:
            log.warning("%s: on_session_saved has not returned within %g s; saving without it", session.name, within_s)
        return {session: task.result() for session, task in asked.items() if session not in late}

    def _ask(self, session: Session, hook: CallHook) -> asyncio.Task[Any]:
        task = self._asked[session] = asyncio.ensure_future(_answer(session, hook))
        task.add_done_callback(partial(self._ended, session))
        return task

    def _ended(self, session: Session, task: asyncio.Task[Any]) -> None:
        self._asked.pop(session, None)


async def _answer(session: Session, hook: CallHook) -> Any:
    try:
        return await hook(session)
    except Exception:
        log.exception("%s: what on_session_saved returns cannot be saved; this is a fault of the server", session.name)
        return None
