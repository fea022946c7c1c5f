"""Finds the sessions that other processes have saved and left, and claims them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.woken import Woken, read_opening
from app_server.observe.gauges import SavingGauges
from app_server.security.admission import Full
from app_server.session.naming import LogName
from app_server.store.base import Claim, Store, session_key
from app_server.store.errors import Busy, Lost, NewerJournal, StoreError, Taken, TooSlow, Unavailable
from app_server.store.journal import Saved, read_journal
from app_server.store.keys import Keys

log = logging.getLogger(__name__)

T = TypeVar("T")

_TAKEN_FOR_S: Final = 3.0
"""How long a session may be another process's that is about to leave it, before its page is refused."""

_LEASE_ENDS_WITHIN_S: Final = 1.0
"""How much longer than its lease a session of a lost host is waited for."""

_SILENT_FOR_S: Final = 10.0
"""A store that answers nothing for so long is away; before that, it is slow, and pages wait for what it has.

Each question may take that long: a page asks up to three, whether its session is saved, for the claim, and for the
journal."""

_FAILS_FOR_S: Final = 3.0
"""A store that fails for so long is away; before that, it may be about to start again."""

_AWAY_FOR_S: Final = 3.0
"""How long a page waits for a store that is known to be away: a little more than one attempt to connect."""

_LOOKS: Final = 10
"""How many times the loop looks for an answer in that time: if it is busy, it looks less often, and waits longer."""

_ASK_AGAIN_S: Final = 0.05

_NO_DOCUMENT: Final = "the journal ends before the document"


class Waker:
    """Finds and claims saved sessions.

    A session begins again, without what is saved of it, only if the store is away. What is slow, for whatever reason,
    costs no one their work: the page waits, and then tries again.
    """

    def __init__(self, thread: StoreThread, policy: SavingPolicy, gauges: SavingGauges) -> None:
        self._thread = thread
        self._policy = policy
        self._gauges = gauges

    @property
    def patience_s(self) -> float:
        """How long a session that another process owns is waited for: longer than that process's lease, if it died."""
        return max(_TAKEN_FOR_S, self._thread.store.lease_s + _LEASE_ENDS_WITHIN_S)

    async def is_saved(self, url: str, session_id: str, name: LogName) -> bool:
        """Whether the store has this session, be it another process's at the moment; False if it is away.

        Raises Full if it does not say so in time.
        """
        asked_s = time.monotonic()
        look = partial(self._thread.ask, self._thread.store.is_saved, session_key(url, session_id))
        try:
            return await self._patiently(lambda: self._answer(look()))
        except Unavailable as error:
            self._give_up(error, name, asked_s)
            return False

    async def wake(self, url: str, session_id: str, name: LogName) -> Woken | None:
        """The saved session of this id, owned from now on; None if there is none, or the store is away.

        Raises Full if another process goes on having it, or the store does not give it in time.
        """
        asked_s = time.monotonic()
        try:
            return await self._patiently(partial(self._woken, url, session_id, name))
        except NewerJournal as error:
            log.warning("%s: is not saved, and begins again: %s", name, error)
            return Woken(None, keeps=False)
        except (Taken, Lost):
            raise Full("another process has this session", "taken") from None
        except Unavailable as error:
            self._give_up(error, name, asked_s)
            return None

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What an attempt gives; one is made after another while that may help."""
        began_s = time.monotonic()
        while True:
            try:
                return await attempt()
            except (Taken, Lost, Unavailable) as error:
                if self._thread.stopped:
                    raise Full("the server is going away", "draining") from None
                if time.monotonic() - began_s >= self._worth_waiting_s(error):
                    raise
            await asyncio.sleep(_ASK_AGAIN_S)

    def _worth_waiting_s(self, error: StoreError) -> float:
        """How long to go on asking a store that has failed like this."""
        if not isinstance(error, Unavailable):
            return self.patience_s
        if self._thread.surely_away:
            return 0
        return _SILENT_FOR_S if isinstance(error, Busy) else _FAILS_FOR_S

    def _give_up(self, error: Unavailable, name: LogName, asked_s: float) -> None:
        """Log what the store has failed to say. Raises Full unless it is away: the page is to try again then."""
        took_s = time.monotonic() - asked_s
        if isinstance(error, TooSlow) and (self._thread.surely_away or self._thread.answered_s < asked_s):
            error = Unavailable(f"the store has not answered for {took_s:.1f} s", where=error.where)
        if isinstance(error, Busy):
            log.warning("%s: tries again, because the store is slow or busy (%.1f s): %s", name, took_s, error)
            raise Full("saved sessions cannot be read at the moment", "store") from None
        self._thread.note_away(error)
        log.warning("%s: begins again, because the store is away (%.1f s): %s", name, took_s, error)

    async def _answer(self, asked: asyncio.Future[T], late: Callable[[asyncio.Future[T]], None] | None = None) -> T:
        """What the store answers; TooSlow if that takes too long, and `late` is called with what comes then.

        A loop that was busy meanwhile finds the answer all the same, and time in which the process stood still is not
        the store's.
        """
        within_s = _AWAY_FOR_S if self._thread.surely_away else _SILENT_FOR_S
        try:
            for _ in range(_LOOKS):
                await asyncio.wait([asked], timeout=within_s / _LOOKS)
                if asked.done():
                    return asked.result()
            raise TooSlow(f"no answer within {within_s:g} s")
        except BaseException:
            asked.add_done_callback(late or _ignore)
            raise

    async def _woken(self, url: str, session_id: str, name: LogName) -> Woken | None:
        """What one attempt to claim and read the session gives. Raises what the store does."""
        asked = self._thread.ask(self._thread.store.claim, session_key(url, session_id), create=False)
        claim = await self._answer(asked, self._release_late)
        if claim is None:
            return None
        try:
            return await self._read(claim, url, session_id, name)
        except BaseException:
            self._release(claim)
            raise

    def _release_late(self, claiming: asyncio.Future[Any]) -> None:
        """Release a claim that comes too late, or after the request was given up."""
        claim = None if claiming.cancelled() or claiming.exception() is not None else claiming.result()
        if claim is not None:
            self._release(claim)

    def _release(self, claim: Claim) -> None:
        self._thread.submit(partial(_release, self._thread, claim))

    async def _read(self, claim: Claim, url: str, session_id: str, name: LogName) -> Woken | None:
        limit = 3 * self._policy.max_bytes  # changes are appended to a whole that was within the limit
        try:
            asked = self._thread.ask(_read, self._thread.store, claim, limit, self._policy.keys)
            saved = await self._answer(asked)
            if saved is None:
                return Woken(claim)
            damaged = saved.damaged or (_NO_DOCUMENT if saved.whole is None else "")
            if damaged:
                log.warning("%s: what was saved last is lost: %s", name, damaged)
            opening = read_opening(saved.opened, url, session_id)
        except (NewerJournal, Unavailable, Lost):
            raise
        except (StoreError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: begins again, because what was saved cannot be read: %s", name, error)
            return Woken(claim)
        self._gauges.note_restored()
        return Woken(claim, saved, opening)

    def give_back(self, woken: Woken) -> None:
        """Leave a session to the next one who asks: it could not be built."""
        if woken.claim is not None:
            self._release(woken.claim)


def _read(store: Store, claim: Claim, max_bytes: int, keys: Keys) -> Saved | None:
    return read_journal(store.read(claim, max_bytes), keys)


def _ignore(asked: asyncio.Future[Any]) -> None:
    """Take note of what an answer raises that comes too late: asyncio logs it otherwise."""
    if not asked.cancelled():
        asked.exception()


def _release(thread: StoreThread, claim: Claim) -> None:
    with suppress(StoreError):  # a lease ends by itself
        thread.store.release(claim)
