"""Saves the sessions of one process as they change.

All waiting for the store happens in one thread. What a session has changed is collected once a second, in the loop;
a store that is slow or away delays saving, and nothing else: what would pile up is dropped, and the whole document is
saved when the store is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from app_server.document.saving.recording import Recording
from app_server.engine.saving.bookmarks import Bookmarks
from app_server.engine.saving.journal_keeper import Journal, JournalKeeper, Unwritten
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.waker import Waker
from app_server.engine.saving.woken import Woken
from app_server.engine.turns.queue import TurnQueue
from app_server.observe.gauges import SavingGauges
from app_server.session.session import Session
from app_server.store.base import Store, Write, session_key
from app_server.store.errors import Lost, StoreError, Taken, Unavailable

log = logging.getLogger(__name__)

_LEAVE_WITHIN_S = 5.0
"""How long the end of a session waits for the store."""

_LONGEST_PAUSE_S = 8.0
"""Between two attempts while the store is away."""

_PURGE_EVERY_S = 600.0

CallHook = Callable[[Session], Awaitable[Any]]


class Saver:
    """Saves the sessions of one process in a store.

    `on_lost` is called with a session that another process has taken over: it must write no more, and its clients are
    to connect there.
    """

    def __init__(
        self, store: Store, policy: SavingPolicy, gauges: SavingGauges, on_lost: Callable[[Session], None]
    ) -> None:
        self.policy = policy
        self._store = store
        self._gauges = gauges
        self._on_lost = on_lost
        self._thread = StoreThread(store)
        self.bookmarks = Bookmarks(self._thread, policy)
        self.waker = Waker(self._thread, policy, gauges)
        self._keepers: dict[str, JournalKeeper] = {}
        self._hooks: dict[str, CallHook] = {}
        self._due: set[str] = set()
        self._saving = asyncio.Lock()

    def recording(self, url: str, session_id: str, excluded: Any) -> Recording:
        """What notes the changes of a session that is about to be made."""
        return Recording(partial(self._due.add, session_key(url, session_id)), excluded)

    def keep(
        self,
        queue: TurnQueue,
        recording: Recording,
        opened: Mapping[str, Any],
        woken: Woken | None,
        hook: CallHook | None,
    ) -> None:
        """Save this session from now on; `hook` is the application's on_session_saved, if it has one."""
        key = session_key(opened["application"], opened["session"])
        journal = Journal(key, self.policy.keys, None if woken is None else woken.claim)
        self._keepers[key] = JournalKeeper(queue, recording, opened, journal, self.policy.max_bytes)
        if hook is not None:
            self._hooks[key] = hook

    def work(self, *, purges: bool) -> list[Coroutine[Any, Any, None]]:
        """What has to go on in the background; one process of those that share a store `purges` it."""
        return [self._run(), self._purge()] if purges else [self._run()]

    async def _run(self) -> None:
        """Save what has changed, once a second, and go on owning what is owned."""
        pause_s = self.policy.every_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._renew()
                await self.save()
            except Unavailable as error:
                self._thread.note_away(error)
            except Exception:
                log.exception("Sessions could not be saved; this is a fault of the server")
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if self._thread.away else self.policy.every_s

    async def save(self) -> None:
        """Save what has changed since the last time. Raises Unavailable; what was to be saved is due again then."""
        async with self._saving:
            for key, keeper in self._keepers.items():
                if keeper.state_changed:
                    self._due.add(key)
            due = self._due & self._keepers.keys()
            self._due.clear()
            batch: list[tuple[JournalKeeper, Unwritten]] = []
            for key in due:
                leaving = self._keepers.get(key)
                if leaving is not None and not leaving.session.destroyed:
                    batch.append((leaving, leaving.collect(await self._asked_hook(key, leaving))))
                    await asyncio.sleep(0)  # one session in each round of the loop: the others do not notice
            await self._write(batch)

    async def leave(self, session: Session, url: str, *, forget: bool) -> None:
        """A session ends here: save it for the last time, or `forget` what was saved of it."""
        key = session_key(url, session.id)
        keeper = self._keepers.get(key)
        if keeper is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S), self._saving:
                if forget:
                    if keeper.journal.claim is not None:
                        await self._thread.call(self._store.delete, keeper.journal.claim)
                else:
                    await self._last_save(key, keeper)
        except (StoreError, TimeoutError) as error:
            log.warning("%s: could not be saved for the last time: %s", session.name, error or "the store is too slow")
        finally:
            self._keepers.pop(key, None)
            self._hooks.pop(key, None)
            self._due.discard(key)

    async def _last_save(self, key: str, keeper: JournalKeeper) -> None:
        if key in self._due or keeper.state_changed or key in self._hooks:
            await self._write([(keeper, keeper.collect(await self._asked_hook(key, keeper)))])
        if keeper.journal.claim is not None:
            await self._thread.call(self._store.release, keeper.journal.claim)

    async def _asked_hook(self, key: str, keeper: JournalKeeper) -> Any:
        hook = self._hooks.get(key)
        return None if hook is None else await hook(keeper.session)

    async def _write(self, batch: list[tuple[JournalKeeper, Unwritten]]) -> None:
        if not batch:
            return
        by_journal = {keeper.journal: keeper for keeper, _ in batch}
        work = [(keeper.journal, unwritten) for keeper, unwritten in batch]
        try:
            lost = await self._thread.call(_write, self._store, work)
        except Unavailable as error:
            failed = {id(claim) for claim in error.unwritten}
            lost = [journal for journal in by_journal if journal.claim is not None and journal.claim in error.lost]
            for journal, keeper in by_journal.items():
                if journal.claim is None or not failed or id(journal.claim) in failed:
                    keeper.save_whole()
            self._gauges.note_failed()
            self._thread.note_away(error)
        else:
            self._thread.note_back()
            self._gauges.note_saved(len(batch))
        for journal in lost:
            self._lose(by_journal[journal])

    def _lose(self, keeper: JournalKeeper) -> None:
        self._keepers.pop(keeper.journal.key, None)
        self._hooks.pop(keeper.journal.key, None)
        log.warning("%s: another process has taken the session over; its clients are sent there", keeper.session.name)
        self._on_lost(keeper.session)

    async def _renew(self) -> None:
        claims = {id(keeper.journal.claim): keeper for keeper in self._keepers.values() if keeper.journal.claim}
        if not claims:
            return
        lost = await self._thread.call(self._store.renew, [keeper.journal.claim for keeper in claims.values()])
        for claim in lost:
            self._lose(claims[id(claim)])

    async def _purge(self) -> None:
        """Delete what has expired, now and then."""
        while True:
            try:
                await self._thread.call(self._store.purge, self.policy.ttl_s, time.time())
            except StoreError as error:
                self._thread.note_away(error)
            await asyncio.sleep(_PURGE_EVERY_S)

    async def save_before_leaving(self) -> None:
        """Save all sessions for the last time before the process ends; what fails is logged."""
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                await self.save()
        except (StoreError, TimeoutError) as error:
            self._thread.note_away(error)

    async def stop(self) -> None:
        """Leave all sessions that are still owned, and close the store."""
        await self._thread.stop()


def _write(store: Store, work: list[tuple[Journal, Unwritten]]) -> list[Journal]:
    """Write these records; the journals that are another process's. In the store's thread."""
    writes: dict[int, Journal] = {}
    batch: list[Write] = []
    lost: list[Journal] = []
    for journal, unwritten in work:
        try:
            write = journal.write(unwritten, store)
            batch.append(write)
            writes[id(write.claim)] = journal
        except (Taken, Lost):
            lost.append(journal)
    return lost + [writes[id(claim)] for claim in store.write(batch)]
