"""Deletes what is saved of a user who logs out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from app_server.engine.saving.endings import OwnerOf
from app_server.engine.saving.plain import from_exact
from app_server.engine.saving.store_thread import StoreThread
from app_server.store.base import Ending, Entry
from app_server.store.contents import opened_of
from app_server.store.errors import StoreError, Unavailable
from app_server.store.keys import Keys

log = logging.getLogger(__name__)

_FINISH_WITHIN_S: Final = 5.0
"""How long the end of a process waits for the store."""

AGAIN_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
"""The longest pause between two attempts while the store is away."""

_AT_ONCE: Final = 50
"""How many saved sessions are looked at in one call of the store."""


class Forgetting:
    """Deletes the saved sessions of users, beside all else; one at a time, because it reads all that is saved."""

    def __init__(self, thread: StoreThread, keys: Keys, owner_of: OwnerOf) -> None:
        self._thread = thread
        self._keys = keys
        self._owner_of = owner_of
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, owner: str, endings: Sequence[Ending]) -> None:
        """Delete this user's sessions, soon. The processes that have one of them end it: `endings` ask for that."""
        task = asyncio.get_running_loop().create_task(self._run(owner, endings))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what was begun, but not for long."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_FINISH_WITHIN_S)
            for task in late:
                task.cancel()

    async def _run(self, owner: str, endings: Sequence[Ending]) -> None:
        """Try until the store lets it be done."""
        pause_s = AGAIN_S
        while (error := await self._fault_of(owner, endings)) is not None:
            if pause_s == AGAIN_S:
                log.error("The saved sessions of a user who has logged out are not deleted yet: %s", error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _fault_of(self, owner: str, endings: Sequence[Ending]) -> StoreError | None:
        """Delete all of them; what the store has said if it cannot be used now."""
        try:
            for ending in endings:  # first: who finds a session deleted is to know why
                await self._thread.call(self._thread.store.end, ending)
            entries = self._thread.store.entries()
            while some := await self._thread.call(_some, entries):
                for entry in some:
                    if not entry.bookmark:
                        await self._thread.call(self._delete, entry.key, owner, max(each.at_s for each in endings))
        except StoreError as error:
            return error
        return None

    def _delete(self, key: str, owner: str, at_s: float) -> None:
        try:
            opened = opened_of(self._thread.store, key, self._keys)
            user = None if opened is None else from_exact(opened["user"])
            theirs = bool(user) and self._owner_of(user) == owner
            later = opened is not None and opened.get("begun_s", 0) > at_s  # the user has logged in again
        except Unavailable:
            raise
        except Exception as error:
            log.debug("What is saved as %s cannot be read: %s", key, error)
            return
        if theirs and not later:
            self._thread.store.revoke(key)


def _some(entries: Iterator[Entry]) -> list[Entry]:
    # Others have to use the store meanwhile: leases end within seconds.
    return list(islice(entries, _AT_ONCE))
