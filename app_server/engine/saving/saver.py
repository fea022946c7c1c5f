"""Saves the sessions of one process as they change.

All waiting for the store happens in one thread. What a session has changed is collected once a second, in the loop;
a store that is slow or away delays saving, and nothing else: what would pile up is dropped, and the whole document is
saved when the store is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from app_server.document.saving.recording import MOST_BYTES, Recording
from app_server.engine.saving.asking import HOOK_WITHIN_S, Asking, CallHook
from app_server.engine.saving.batch import Batch, write_batch
from app_server.engine.saving.bookmarks import Bookmarks
from app_server.engine.saving.endings import Endings, OwnerOf, names_of
from app_server.engine.saving.forgetting import Forgetting
from app_server.engine.saving.journal_keeper import Journal, JournalKeeper, Unwritten
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.waker import Waker
from app_server.engine.saving.woken import Woken
from app_server.engine.turns.queue import TurnQueue
from app_server.errors import OperatorError
from app_server.observe.gauges import SavingGauges
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.session.naming import LogName
from app_server.session.session import Session
from app_server.store.base import Claim, Ending, Store, session_key
from app_server.store.errors import StoreError, Unavailable

log = logging.getLogger(__name__)

_LEAVE_WITHIN_S: Final = 5.0
"""How long the end of a session waits for the store."""

_HOOK_BEFORE_LEAVING_S: Final = 2.0
"""How long the end of a session or process waits for it: there must be time left to save."""

_LONGEST_PAUSE_S: Final = 8.0
"""Between two attempts while the store is away."""

_RENEW_EVERY_S: Final = 1.0
_PURGE_EVERY_S: Final = 600.0

_PATIENT_FOR: Final = 3
"""How many seconds of changes wait while the store takes its time."""

_BATCH_BYTES: Final = 16 * 1024 * 1024
"""How much is encoded before it is written: 1000 whole documents need not be in memory at once."""


class Saver:
    """Saves the sessions of one process in a store.

    `on_lost` is called with a session that another process has taken over: it must write no more, and its clients are
    to connect there. `on_endings` is called when sessions are to end because another process has said so in the store.
    `owner_of` gives a text that stands for a user, None if anyone may have their sessions.
    """

    def __init__(
        self,
        store: Store,
        policy: SavingPolicy,
        gauges: SavingGauges,
        on_lost: Callable[[Session], None],
        on_endings: Callable[[Endings], None] = lambda endings: None,
        owner_of: OwnerOf = lambda user: None,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self.policy = policy
        self._store = store
        self._gauges = gauges
        self._on_lost = on_lost
        self._on_endings = on_endings
        self._tracing = tracing
        self._thread = StoreThread(store, gauges, tracing)
        self.bookmarks = Bookmarks(self._thread, policy)
        self.waker = Waker(self._thread, policy, gauges)
        self.endings = Endings(policy.keys, owner_of)
        self._endings_due = False
        """Whether sessions were to end, and that has failed."""
        self._forgetting = Forgetting(self._thread, policy.keys, owner_of)
        self._keepers: dict[str, JournalKeeper] = {}
        self._hooks: dict[str, CallHook] = {}
        self._asking = Asking()
        self._asked: set[str] = set()
        """The sessions that are due as soon as their hooks have returned."""
        self._due: set[str] = set()
        self._saving = asyncio.Lock()
        self._owning: asyncio.Task[None] | None = None
        """Renews what is owned while the process stops."""
        self._leaving: dict[str, asyncio.Event] = {}
        """The sessions that are being saved for the last time: set when that is done."""

    async def wake(self, url: str, session_id: str, name: LogName) -> Woken | None:
        """What `Waker.wake` finds, when a session of this id that ends here at the moment has been saved."""
        leaving = self._leaving.get(session_key(url, session_id))
        if leaving is not None:
            await leaving.wait()
        return await self.waker.wake(url, session_id, name)

    def recording(self, url: str, session_id: str, excluded: Any) -> Recording:
        """What notes the changes of a session that is about to be made."""
        due = partial(self._due.add, session_key(url, session_id))
        return Recording(due, excluded, min(MOST_BYTES, self.policy.max_bytes))

    @property
    def due(self) -> bool:
        """Whether there is something to save."""
        return bool(self._due or self._asked)

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
        self._keepers[key] = JournalKeeper(queue, recording, opened, journal, self.policy)
        if hook is not None:
            self._hooks[key] = hook

    def drop(self, url: str, session_id: str) -> None:
        """Save this session no more; what was saved of it, and its claim, stay as they are."""
        self._forget(session_key(url, session_id))

    def _forget(self, key: str, keeper: JournalKeeper | None = None) -> None:
        """Save it no more; nothing if a new session of this id has another keeper already."""
        if keeper is None or self._keepers.get(key) is keeper:
            self._keepers.pop(key, None)
            self._hooks.pop(key, None)
            self._due.discard(key)

    def work(self, *, purges: bool) -> list[Coroutine[Any, Any, None]]:
        """What has to go on in the background; a process `purges` the store unless many share it."""
        return [self._run(), self._own(), self._watch(), *([self._purge()] if purges else [])]

    async def _run(self) -> None:
        """Save what has changed, once a second."""
        pause_s = self.policy.every_s
        while True:
            await asyncio.sleep(pause_s)
            saved = self._gauges.saved
            try:
                await self.save()
                if self._thread.away:
                    await self._thread.call(self._store.check)
                    self._thread.note_back()
            except (Unavailable, OperatorError) as error:
                self._thread.note_away(error)
            except Exception:
                log.exception("Sessions could not be saved; this is a fault of the server")
            in_vain = self._thread.away and self._gauges.saved == saved
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if in_vain else self.policy.every_s

    async def _own(self) -> None:
        """Go on owning what is owned, however long it takes to save it, and end what is to end."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            await _logged(self._look_for_endings(), "ended")
            await _logged(self._renew(), "renewed")

    async def _watch(self) -> None:
        """Let little wait if the store takes its time."""
        waited = 0
        while True:
            await asyncio.sleep(self.policy.every_s)
            waited = waited + 1 if self._saving.locked() or self._thread.away else 0
            if waited >= _PATIENT_FOR:
                for keeper in list(self._keepers.values()):
                    keeper.shed()

    async def save(self, hooks_within_s: float = HOOK_WITHIN_S) -> None:
        """Save what has changed since the last time. Raises Unavailable; what was to be saved is due again then."""
        self._due |= {key for key, keeper in self._keepers.items() if keeper.state_changed}
        asked = {key for key in self._due & self._hooks.keys() if not self._keepers[key].session.destroyed}
        self._due -= asked  # what changes from now on, while their hooks are at work, is due again
        self._asked |= asked
        due, again = asked.copy(), set[str]()
        try:
            hooks = await self._asked_hooks(asked, hooks_within_s)
            async with self._saving:
                again = self._due & asked
                due = (self._due | self._asked) & self._keepers.keys()
                self._due -= due  # the recordings have this set
                await self._save_all(due, hooks)
        finally:
            self._asked -= asked
            self._due |= due | again

    async def _save_all(self, due: set[str], hooks: Mapping[Session, Any]) -> None:
        """Save these sessions; those that were written, or cannot be, leave the set."""
        batch = Batch()
        try:
            while due:
                key = due.pop()
                keeper = self._keepers.get(key)
                if keeper is not None and keeper.session.destroyed:
                    self._due.add(key)  # it waits to be saved for the last time
                elif keeper is not None:
                    batch.add(keeper, self._collected(key, keeper, hooks))
                if batch.size_bytes > _BATCH_BYTES or not due:
                    await self._write(batch)
                    batch = Batch()
                await asyncio.sleep(0)  # one session in each round of the loop: the others do not notice
        except BaseException:  # such as the end of the time in which a process may leave
            batch.give_up()
            raise

    def _collected(self, key: str, keeper: JournalKeeper, hooks: Mapping[Session, Any]) -> Unwritten | None:
        """What is to be written of the session; None, and it is saved no more, if it cannot be encoded."""
        try:
            return keeper.collect(hooks.get(keeper.session))
        except Exception:
            log.exception("%s: cannot be saved any more", keeper.session.name)
            self._forget(key, keeper)
            return None

    async def leave(self, session: Session, url: str, *, forget: bool) -> None:
        """A session ends here: save it for the last time, or `forget` what was saved of it."""
        key = session_key(url, session.id)
        keeper = self._keepers.get(key)
        if keeper is None or keeper.session is not session:
            return
        left = self._leaving[key] = asyncio.Event()
        deadline_s = asyncio.get_running_loop().time() + _LEAVE_WITHIN_S
        try:
            async with asyncio.timeout_at(deadline_s), self._saving:
                if not forget:
                    await self._last_save(key, keeper)
        except (StoreError, TimeoutError) as error:
            why = str(error) or "the store is too slow"
            log.warning("%s: could not be saved for the last time: %s", session.name, why)
        except Exception:
            log.exception("%s: could not be left to the store; this is a fault of the server", session.name)
        finally:
            self._forget(key, keeper)
            await self._left(keeper, deadline_s, forget=forget)
            del self._leaving[key]
            left.set()

    async def _left(self, keeper: JournalKeeper, deadline_s: float, *, forget: bool) -> None:
        """Give up the claim after all that the store has not done yet, and wait for that, but not too long.

        A claim that stayed would keep the session from every process.
        """
        if not self._thread.stopped:
            name = keeper.session.name
            leaving = self._thread.ask(_leave, self._store, keeper.journal, name, forget=forget)
            await asyncio.wait([leaving], timeout=max(0, deadline_s - asyncio.get_running_loop().time()))

    async def _last_save(self, key: str, keeper: JournalKeeper) -> None:
        if key in self._due or keeper.state_changed or key in self._hooks:
            batch = Batch()
            hooks = await self._asked_hooks({key}, _HOOK_BEFORE_LEAVING_S)
            batch.add(keeper, self._collected(key, keeper, hooks))
            await self._write(batch)

    async def _asked_hooks(self, keys: Iterable[str], within_s: float) -> dict[Session, Any]:
        """What the applications' hooks return of these sessions."""
        asked = {self._keepers[key].session: self._hooks[key] for key in keys if key in self._hooks}
        return await self._asking.answers(asked, within_s)

    async def _write(self, batch: Batch) -> None:
        """Write what was collected. Raises Unavailable; what is left in the batch is missing then."""
        if not batch.work:
            return
        by_journal = {keeper.journal: keeper for keeper, _ in batch.work}
        with self._tracing.span("save", {"app_server.sessions": len(batch.work)}):
            work = [(each.journal, data) for each, data in batch.work]
            written = await self._thread.call(write_batch, self._store, work)
        unsaved = len(written.lost) + len(written.refused) + len(written.missing)
        self._gauges.note_saved(len(batch.work) - unsaved)
        await self._lose([by_journal[journal] for journal in written.lost])
        for journal, why in written.refused.items():
            log.warning("%s: is not saved: %s", by_journal[journal].session.name, why)
            self._forget(journal.key, by_journal[journal])
        if written.away is not None:
            self._gauges.note_failed()
            batch.keep_only(written.missing)
            raise written.away
        self._thread.note_back()

    async def _lose(self, keepers: Sequence[JournalKeeper]) -> None:
        """Leave these sessions to the processes that have them now, or end them, if that is why they were deleted."""
        if keepers:
            await _logged(self._look_for_endings(), "ended")  # who deletes a session has said before that it is to end
        for keeper in keepers:
            self._forget(keeper.journal.key, keeper)
            if self.endings.includes(keeper.session):
                continue
            self._gauges.note_lost()
            what = "another process has taken the session over; its clients are sent there"
            log.warning("%s: %s", keeper.session.name, what)
            self._on_lost(keeper.session)

    async def _lose_claims(self, lost: Sequence[Claim]) -> None:
        ids = {id(claim) for claim in lost}
        await self._lose([each for each in self._keepers.values() if id(each.journal.claim) in ids])

    async def _renew(self) -> None:
        claims = [keeper.journal.claim for keeper in self._keepers.values() if keeper.journal.claim is not None]
        if not claims:
            return
        try:
            await self._lose_claims(await self._thread.call(self._store.renew, claims))
        except Unavailable as error:
            await self._lose_claims(error.lost)
            self._thread.note_away(error)

    async def _look_for_endings(self) -> None:
        try:
            found = await self._thread.call(self._store.endings)
        except Unavailable as error:
            self._thread.note_away(error)
            return
        self.endings.add(found)
        self._endings_due = self._endings_due or bool(found)
        if self._endings_due:  # the store says it once
            self._on_endings(self.endings)
            self._endings_due = False

    def log_out(self, owner: str) -> None:
        """Delete what is saved of this user, soon, and have other processes end the sessions that they have.

        So are those that are being built here, when they are there.
        """
        now_s = time.time()
        endings = [Ending(name, now_s) for name in names_of(owner, self.policy.keys)]
        self.endings.add(endings)
        self._forgetting.begin(owner, endings)

    async def _purge(self) -> None:
        """Delete what has expired, now and then."""
        while True:
            try:
                await self._thread.call(self._store.purge, self.policy.ttl_s, time.time())
            except StoreError as error:
                self._thread.note_away(error)
            await asyncio.sleep(_PURGE_EVERY_S)

    async def save_before_leaving(self) -> None:
        """Save all sessions for the last time before the process ends; what fails is logged.

        They stay owned until they are left one after another, or `stop`.
        """
        self._owning = asyncio.create_task(self._own())
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                await self.save(_HOOK_BEFORE_LEAVING_S)
        except (StoreError, TimeoutError) as error:
            self._thread.note_away(error)

    async def stop(self) -> None:
        """Leave all sessions that are still owned, and close the store."""
        await self._forgetting.finish()
        if self._owning is not None:
            self._owning.cancel()
        await self._thread.stop()


async def _logged(work: Coroutine[Any, Any, None], done: str) -> None:
    """Do this; what it raises is logged, and keeps nothing else from being done."""
    try:
        await work
    except Exception:
        log.exception("Sessions could not be %s; this is a fault of the server", done)


def _leave(store: Store, journal: Journal, name: LogName, *, forget: bool) -> None:
    """Release the session, or delete what is saved of it, in the store's thread."""
    claim = journal.take_claim()
    if claim is None:
        return
    try:
        if forget:
            store.delete(claim)
        else:
            store.release(claim)
    except StoreError as error:  # a lease ends by itself
        if forget:
            log.warning("%s: what was saved of it could not be deleted: %s", name, error)
