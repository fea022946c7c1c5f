"""The runtime of an application whose sessions live in this process."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app_server.apps import Application
from app_server.document.saving.recording import Recording
from app_server.document.served import ServedDocument, new_document
from app_server.engine.lifecycle import UNOBSERVED, Lifetimes, SessionObserver
from app_server.engine.loop import EngineLoop
from app_server.engine.running import Job, Noted
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.bookmarks import SessionBookmarks
from app_server.engine.saving.plain import NotPlain, plain_json
from app_server.engine.saving.restoring import restore
from app_server.engine.saving.saver import Saver
from app_server.engine.saving.woken import Woken, opening_fields, or_copy
from app_server.engine.turns.queue import TurnQueue
from app_server.errors import ApplicationError
from app_server.observe.gauges import ApplicationGauges
from app_server.security.admission import Admission
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext, isolated_context
from app_server.session.limits import MessageLimits
from app_server.session.naming import LogName
from app_server.session.registry import Build
from app_server.session.session import Session
from app_server.session.whole_document import Prepared

log = logging.getLogger(__name__)

_clock = time.monotonic

_MOST_REASONS = 20
"""How many reasons for which sessions are not saved are logged."""


@dataclass(frozen=True)
class Snapshot:
    """A document that an application has filled for all its sessions, and how it is encoded for clients."""

    document: ServedDocument
    prepared: Prepared | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request that has a session built says of it."""

    session_id: str
    request: VisibleRequest | None
    payload: Mapping[str, Any]
    user: Any


class LocalRuntime(ApplicationRuntime):
    """Builds its sessions with the application's code, and keeps them all in this process."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unsaved: set[str] = set()
        """Why sessions are not saved, as far as that was logged."""

    async def session(
        self,
        session_id: str,
        request: VisibleRequest | None,
        token_payload: Mapping[str, Any],
        user: Any = None,
        address: str = "",
        *,
        fresh: bool = False,
        copy_of: Woken | None = None,
    ) -> Session:
        living = self.registry.get(session_id)
        if living is not None:
            return living
        under_way = self.registry.building(session_id)
        if under_way is not None:
            return await self._built(under_way)
        self.admission.enter((self.url, session_id), address)
        build = self.registry.begin(session_id)
        began_s = _clock()
        words = f"{self.name} session {session_id[:8]}…, which is being built"
        job = Job(LogName(words, application=self.url, session=session_id))
        woken = copy_of
        try:
            if self._saver is not None and not fresh:
                woken = or_copy(await self._saver.wake(self.url, session_id, job.name), copy_of)
            asked = Asked(session_id, request, token_payload, user)
            session = await Noted(self._loop.running, job, self._build(asked, woken))
        except BaseException as error:
            self.admission.leave((self.url, session_id))
            if self._saver is not None and woken is not None:
                self._saver.waker.give_back(woken)
            self.registry.fail(build, error)
            raise
        self.registry.succeed(build, session)
        self._lifecycle.observer.begun(session)
        self.gauges.built += 1
        self.gauges.build.note(_clock() - began_s)
        return session

    def check_admission(self, session_id: str, address: str) -> None:
        if self.registry.get(session_id) is None and self.registry.building(session_id) is None:
            self.admission.check(address)

    def process_request(self, request: Any) -> Mapping[str, Any]:
        return self.application.process_request(request)

    async def _built(self, build: Build) -> Session:
        """The session of a build that is under way."""
        awaited: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        build.waiters.append(lambda session, error: _settle(awaited, session, error))
        return await awaited

    async def _build(self, asked: Asked, woken: Woken | None, snapshot: Snapshot | None = None) -> Session:
        document = new_document(asked.session_id) if snapshot is None else snapshot.document
        opening = None if woken is None else woken.opening
        state = {} if opening is None or woken is None or woken.saved is None else woken.saved.fields.get("state", {})
        context = SessionContext(
            asked.session_id,
            self.context.server_context,
            document,
            asked.request if opening is None else opening.request,
            asked.payload if opening is None else opening.payload,
            self._logout_url,
            asked.user if opening is None else opening.user,
            state=state if isinstance(state, dict) else {},
            restoring=opening is not None,
        )
        document.attach_context(context)
        try:
            with document.at_work():  # the models that the hook makes have the session's ids, too
                await self._hook("on_session_created", context)
            with document.at_work(), self.guest.building(document):
                if snapshot is None:
                    self.application.build(document)
        except BaseException:
            document.destroy()
            raise
        prepared = None if snapshot is None else snapshot.prepared
        opened = None if self._saver is None else self._opening_fields(context, document, woken)
        if self._saver is None or opened is None:
            if self._saver is not None and woken is not None:
                self._saver.waker.give_back(woken)
            return self._opened(document, context, prepared).session
        return await self._restored(self._saver, opened, document, context, prepared, woken)

    def _opening_fields(
        self, context: SessionContext, document: ServedDocument, woken: Woken | None
    ) -> Mapping[str, Any] | None:
        """What is saved of the session's beginning; None if it is not to be saved."""
        if woken is not None and not woken.keeps:
            return None
        try:
            return opening_fields(context, self.url, document, self.application.sources)
        except NotPlain as error:
            why = str(error)
        if why not in self._unsaved and len(self._unsaved) < _MOST_REASONS:
            self._unsaved.add(why)
            log.warning("%s: sessions are not saved: %s", self.name, why)
        return None

    def _session_name(self, context: SessionContext) -> LogName:
        return LogName(f"{self.name} session {context.id[:8]}…", application=self.url, session=context.id)

    async def _restored(
        self,
        saver: Saver,
        opened: Mapping[str, Any],
        document: ServedDocument,
        context: SessionContext,
        prepared: Prepared | None,
        woken: Woken | None,
    ) -> Session:
        """The session of a document that was built, given what was saved of it, and saved from now on."""
        self.guest.saves(document)
        recording = saver.recording(self.url, context.id, context.excluded)
        name = self._session_name(context)
        saved = None if woken is None else woken.saved
        if woken is not None and saved is not None and woken.opening is not None:
            policy = saver.policy.restoring(self.application.restore)
            sources, guest = self.application.sources, self.guest
            recording.resume(restore(document, saved, woken.opening, sources, policy, name, guest))
            prepared = None
        hooks = self.application.hooks
        context.attach_bookmarks(SessionBookmarks(saver.bookmarks, opened, recording, hooks.on_session_saved))
        queue = self._opened(document, context, prepared, recording)
        hook = self._asked_what_to_save if hooks.saves else None
        saver.keep(queue, recording, opened, woken, hook)
        if saved is not None and context.restoring:
            recording.save_whole()
            kept = saved.fields.get("hook")
            try:
                await self._call_hook(lambda: hooks.on_session_restored(context, kept), "on_session_restored")
            except BaseException:  # the request that the session is built for was given up
                saver.drop(self.url, context.id)
                self._take_back(document, context)
                raise
            context.note_restored()
        return queue.session

    async def _asked_what_to_save(self, session: Session) -> Any:
        """What the application's on_session_saved returns, if it is made of plain values."""
        found: list[Any] = []

        async def ask() -> None:
            value = self.application.hooks.on_session_saved(session.context)
            found.append(await value if inspect.isawaitable(value) else value)

        with session.document.at_work():
            await self._call_hook(ask, "on_session_saved")
        if not found or self._saver is None:
            return None
        try:
            return json.loads(plain_json(found[0], self._saver.policy.own_bytes))
        except NotPlain as error:
            session.context.note_unsaved(f"what on_session_saved returns: {error}")
            return None

    def _opened(
        self,
        document: ServedDocument,
        context: SessionContext,
        prepared: Prepared | None,
        recording: Recording | None = None,
    ) -> TurnQueue:
        """The session of a document that was filled; ApplicationError if no client could get it."""
        guest = self.guest
        queue = self._open(document, context, prepared, recording)
        session = queue.session
        try:
            guest.opened(session)
            if prepared is None and not guest.changes_pages:
                session.prepare()
            with document.at_work():
                if self._limits.show_tracebacks:
                    document.validate()
        except BaseException:
            self._take_back(document, context)
            raise
        return queue

    async def _say_goodbye(self, session: Session) -> None:
        if self._saver is not None:
            await self._saver.leave(session, self.url, forget=session.expiration_requested)
        await super()._say_goodbye(session)
        self.guest.ended(session.document)

    async def _hook(self, name: str, context: object) -> None:
        await self._call_hook(lambda: getattr(self.application.hooks, name)(context), name)


class SingleSessionRuntime(LocalRuntime):
    """Builds the one session that this process is there for; the application's other sessions have their own.

    With `snapshot`, the application has started for that session already.
    """

    def __init__(
        self,
        application: Application,
        url: str,
        limits: MessageLimits,
        lifetimes: Lifetimes,
        loop: EngineLoop,
        gauges: ApplicationGauges | None = None,
        admission: Admission | None = None,
        logout_url: str | None = None,
        observer: SessionObserver = UNOBSERVED,
        saver: Saver | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        super().__init__(application, url, limits, lifetimes, loop, gauges, admission, logout_url, observer, saver)
        self._snapshot = snapshot

    def _make_context(self) -> ApplicationContext:
        return isolated_context(self.url)

    async def _build(self, asked: Asked, woken: Woken | None, snapshot: Snapshot | None = None) -> Session:
        snapshot, self._snapshot = self._snapshot, None
        return await super()._build(asked, woken, snapshot)


def _settle(future: asyncio.Future[Session], session: Session | None, error: BaseException | None) -> None:
    if future.done():
        return
    if session is not None:
        future.set_result(session)
    else:
        future.set_exception(ApplicationError(str(error)) if not isinstance(error, Exception) else error)
