"""Finds the sessions that other processes have saved and left, and claims them."""

from __future__ import annotations

import asyncio
import logging

from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.woken import Woken, read_opening
from app_server.observe.gauges import SavingGauges
from app_server.security.admission import Full
from app_server.session.naming import LogName
from app_server.store.base import Claim, session_key
from app_server.store.errors import Lost, NewerJournal, StoreError, Taken, TooLarge, Unavailable
from app_server.store.journal import read_journal

log = logging.getLogger(__name__)

_TAKEN_FOR_S = 3.0
"""How long a session may be another process's that is about to leave it, before its page is refused."""

_ASK_AGAIN_S = 0.05


class Waker:
    """Finds and claims saved sessions."""

    def __init__(self, thread: StoreThread, policy: SavingPolicy, gauges: SavingGauges) -> None:
        self._thread = thread
        self._policy = policy
        self._gauges = gauges

    async def is_saved(self, url: str, session_id: str) -> bool:
        """Whether the store has this session, be it another process's at the moment."""
        try:
            claim = await self._thread.call(self._thread.store.claim, session_key(url, session_id), create=False)
        except Taken:
            return True
        except StoreError as error:
            self._thread.note_away(error)
            return False
        if claim is not None:
            await self._thread.call(self._thread.store.release, claim)
        return claim is not None

    async def wake(self, url: str, session_id: str, name: LogName) -> Woken | None:
        """The saved session of this id, owned from now on; None if there is none, or the store is away.

        Raises Full if another process goes on having it.
        """
        try:
            claim = await self._claimed(session_key(url, session_id))
            return None if claim is None else await self._read(claim, url, session_id, name)
        except NewerJournal as error:
            log.warning("%s: is not saved, and begins again: %s", name, error)
        except Unavailable as error:
            self._thread.note_away(error)
        return None

    async def _claimed(self, key: str) -> Claim | None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _TAKEN_FOR_S
        while True:
            try:
                return await self._thread.call(self._thread.store.claim, key, create=False)
            except Taken:
                if loop.time() > deadline_s:
                    raise Full("another process has this session", "taken") from None
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _read(self, claim: Claim, url: str, session_id: str, name: LogName) -> Woken | None:
        limit = 3 * self._policy.max_bytes  # changes are appended to a whole that was within the limit
        try:
            data = await self._thread.call(self._thread.store.read, claim, limit)
            saved = await self._thread.call(read_journal, data, self._policy.keys)
            if saved is None:
                return Woken(claim)
            if saved.damaged:
                log.warning("%s: what was saved last is lost: %s", name, saved.damaged)
            opening = read_opening(saved.opened, url, session_id)
        except (NewerJournal, Unavailable):
            await self._thread.call(self._thread.store.release, claim)
            raise
        except Lost:
            return None
        except (StoreError, TooLarge, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: begins again, because what was saved cannot be read: %s", name, error)
            return Woken(claim)
        self._gauges.note_restored()
        return Woken(claim, saved, opening)

    async def give_back(self, woken: Woken) -> None:
        """Leave a session to the next one who asks: it could not be built."""
        if woken.claim is not None:
            await self._thread.call(self._thread.store.release, woken.claim)
