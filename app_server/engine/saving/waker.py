"""Finds the sessions that other processes have saved and left, and claims them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import Final

from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.woken import Woken, read_opening
from app_server.observe.gauges import SavingGauges
from app_server.security.admission import Full
from app_server.session.naming import LogName
from app_server.store.base import Claim, session_key
from app_server.store.errors import Lost, NewerJournal, StoreError, Taken, Unavailable
from app_server.store.journal import read_journal

log = logging.getLogger(__name__)

_TAKEN_FOR_S: Final = 3.0
"""How long a session may be another process's that is about to leave it, before its page is refused."""

_LEASE_ENDS_WITHIN_S: Final = 1.0
"""How much longer than its lease a session of a lost host is waited for."""

_ANSWERS_WITHIN_S: Final = 3.0
"""How long a page waits for the store: a little more than one attempt to connect."""

_ASK_AGAIN_S: Final = 0.05

_NO_DOCUMENT: Final = "the journal ends before the document"


class Waker:
    """Finds and claims saved sessions."""

    def __init__(self, thread: StoreThread, policy: SavingPolicy, gauges: SavingGauges) -> None:
        self._thread = thread
        self._policy = policy
        self._gauges = gauges

    @property
    def patience_s(self) -> float:
        """How long a session that another process owns is waited for: longer than that process's lease, if it died."""
        return max(_TAKEN_FOR_S, self._thread.store.lease_s + _LEASE_ENDS_WITHIN_S)

    async def is_saved(self, url: str, session_id: str) -> bool:
        """Whether the store has this session, be it another process's at the moment."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                return await self._thread.call(self._thread.store.is_saved, session_key(url, session_id))
        except (StoreError, TimeoutError) as error:
            self._thread.note_away(error)
            return False

    async def wake(self, url: str, session_id: str, name: LogName) -> Woken | None:
        """The saved session of this id, owned from now on; None if there is none, or the store is away.

        Raises Full if another process goes on having it.
        """
        try:
            claim = await self._claimed(session_key(url, session_id))
            return None if claim is None else await self._woken(claim, url, session_id, name)
        except NewerJournal as error:
            log.warning("%s: is not saved, and begins again: %s", name, error)
            return Woken(None, keeps=False)
        except (Unavailable, TimeoutError) as error:
            self._thread.note_away(error)
            return None

    async def _claimed(self, key: str) -> Claim | None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self.patience_s
        while True:
            try:
                return await self._claim(key)
            except Taken:
                if loop.time() > deadline_s:
                    raise Full("another process has this session", "taken") from None
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _claim(self, key: str) -> Claim | None:
        """A claim; one that comes too late, or after the request was given up, is released."""
        claiming = asyncio.ensure_future(self._thread.call(self._thread.store.claim, key, create=False))
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                return await asyncio.shield(claiming)
        except (TimeoutError, asyncio.CancelledError):
            claiming.add_done_callback(self._release_late)
            raise

    def _release_late(self, claiming: asyncio.Future[Claim | None]) -> None:
        claim = None if claiming.cancelled() or claiming.exception() is not None else claiming.result()
        if claim is not None:
            self._thread.submit(partial(_release, self._thread, claim))

    async def _woken(self, claim: Claim, url: str, session_id: str, name: LogName) -> Woken | None:
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                return await self._read(claim, url, session_id, name)
        except BaseException:
            self._thread.submit(partial(_release, self._thread, claim))
            raise

    async def _read(self, claim: Claim, url: str, session_id: str, name: LogName) -> Woken | None:
        limit = 3 * self._policy.max_bytes  # changes are appended to a whole that was within the limit
        try:
            data = await self._thread.call(self._thread.store.read, claim, limit)
            saved = await self._thread.call(read_journal, data, self._policy.keys)
            if saved is None:
                return Woken(claim)
            damaged = saved.damaged or (_NO_DOCUMENT if saved.whole is None else "")
            if damaged:
                log.warning("%s: what was saved last is lost: %s", name, damaged)
            opening = read_opening(saved.opened, url, session_id)
        except (NewerJournal, Unavailable):
            raise
        except Lost:
            return None
        except (StoreError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: begins again, because what was saved cannot be read: %s", name, error)
            return Woken(claim)
        self._gauges.note_restored()
        return Woken(claim, saved, opening)

    def give_back(self, woken: Woken) -> None:
        """Leave a session to the next one who asks: it could not be built."""
        if woken.claim is not None:
            self._thread.submit(partial(_release, self._thread, woken.claim))


def _release(thread: StoreThread, claim: Claim) -> None:
    with suppress(StoreError):  # a lease ends by itself
        thread.store.release(claim)
