"""Deletes what is saved of a user who logs out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from app_server.engine.saving.plain import from_exact
from app_server.engine.saving.store_thread import StoreThread
from app_server.store.base import Entry
from app_server.store.contents import opened_of
from app_server.store.errors import StoreError, Unavailable
from app_server.store.keys import Keys

log = logging.getLogger(__name__)

_FINISH_WITHIN_S: Final = 5.0
"""How long the end of a process waits for the store."""

_AT_ONCE: Final = 50
"""How many saved sessions are looked at in one call of the store."""


class Forgetting:
    """Deletes the saved sessions of users, beside all else; one at a time, because it reads all that is saved."""

    def __init__(self, thread: StoreThread, keys: Keys) -> None:
        self._thread = thread
        self._keys = keys
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, is_theirs: Callable[[Any], bool]) -> None:
        """Delete the sessions of the users for whom this is true, soon. A process that owns one finds it lost."""
        task = asyncio.get_running_loop().create_task(self._run(is_theirs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what was begun, but not for long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_WITHIN_S)

    async def _run(self, is_theirs: Callable[[Any], bool]) -> None:
        try:
            entries = self._thread.store.entries()
            while some := await self._thread.call(_some, entries):
                for entry in some:
                    if not entry.bookmark:
                        await self._thread.call(self._delete, entry.key, is_theirs)
        except StoreError as error:
            log.error("The saved sessions of a user who has logged out could not be deleted: %s", error)

    def _delete(self, key: str, is_theirs: Callable[[Any], bool]) -> None:
        try:
            opened = opened_of(self._thread.store, key, self._keys)
            theirs = opened is not None and is_theirs(from_exact(opened["user"]))
        except Unavailable:
            raise
        except Exception as error:
            log.debug("What is saved as %s cannot be read: %s", key, error)
            return
        if theirs:
            self._thread.store.revoke(key)


def _some(entries: Iterator[Entry]) -> list[Entry]:
    # Others have to use the store meanwhile: leases end within seconds.
    return list(islice(entries, _AT_ONCE))
