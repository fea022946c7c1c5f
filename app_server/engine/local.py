"""The runtime of an application whose sessions live in this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app_server.apps import Hooks
from app_server.document.pages.notice import fill_notice
from app_server.document.saving.recording import Recording
from app_server.document.served import ServedDocument, new_document, root_ids
from app_server.engine.running import Job, Noted
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.application_saving import ApplicationSaving
from app_server.engine.saving.saver import Saver
from app_server.engine.saving.woken import Asked, Woken, or_copy
from app_server.engine.turns.queue import TurnQueue
from app_server.engine.warmup import WARMUP_ID, Visit, time_limit
from app_server.errors import ApplicationError
from app_server.jobs.served import jobs_of_session
from app_server.page import ended_by_operator
from app_server.security.admission import Full
from app_server.security.auth.users import identity
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import SessionContext
from app_server.session.naming import LogName
from app_server.session.registry import Build
from app_server.session.session import Session
from app_server.session.whole_document import Prepared

log = logging.getLogger(__name__)

_clock = time.monotonic

_NO_HOOKS = Hooks()
"""What an application has that has no hooks."""


@dataclass(frozen=True)
class Snapshot:
    """A document that an application has filled for all its sessions, and how it is encoded for clients."""

    document: ServedDocument
    prepared: Prepared | None


class LocalRuntime(ApplicationRuntime):
    """Builds its sessions with the application's code, and keeps them all in this process."""

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
        key, owner = (self.url, session_id), self._counted_owner(user)
        self.admission.enter(key, address, owner)
        build = self.registry.begin(session_id)
        began_s = _clock()
        asked = Asked(session_id, request, token_payload, user, time.time())
        words = f"{self.name} session {session_id[:8]}…, which is being built"
        job = Job(LogName(words, application=self.url, session=session_id))
        woken = copy_of
        try:
            await self.admission.confirm(key, owner)
            with self._tracing.span("build", self._attributes(session_id)):
                if self._saver is not None and not fresh:
                    woken = or_copy(await self._saver.wake(self.url, session_id, job.name), copy_of)
                    self._check_going_on()
                session = await Noted(self._loop.running, job, self._build(asked, woken))
                self._take_back_late(session)
        except BaseException as error:
            self.admission.leave(key)
            if self._saver is not None and woken is not None:
                self._saver.waker.give_back(woken)
            self.registry.fail(build, error)
            raise
        self.registry.succeed(build, session)
        self._lifecycle.observer.begun(session)
        self.gauges.built += 1
        self.gauges.build.note(_clock() - began_s)
        if self._saver is not None and self._saver.endings.concern(session):  # its user has logged out meanwhile
            self.begin_end(session)
        return session

    def _counted_owner(self, user: Any) -> str:
        """Whose session it is, if that is counted; empty for one without a login."""
        return identity(user) if user is not None and self.admission.counts_users else ""

    def _check_going_on(self) -> None:
        """Raise Full if the process is about to end: the page of a session that is being built goes elsewhere."""
        if self._lifecycle.stopping:
            raise Full("the server is going away", "draining")

    def _take_back_late(self, session: Session) -> None:
        """Take back a session whose process is about to end, which no client has had. Raises Full then."""
        try:
            self._check_going_on()
        except Full:
            if self._saver is not None:
                self._saver.drop(self.url, session.id)
            self._take_back(session.document, session.context)
            raise

    def check_admission(self, session_id: str, address: str, owner: str = "") -> None:
        if self.registry.get(session_id) is None and self.registry.building(session_id) is None:
            self.admission.check(address, owner)

    def process_request(self, request: Any) -> Mapping[str, Any]:
        if self.application.hooks.process_request is _NO_HOOKS.process_request:
            return {}
        with self._tracing.span("hook process_request", self._attributes()):
            return self.application.process_request(request)

    async def _built(self, build: Build) -> Session:
        """The session of a build that is under way."""
        awaited: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        build.waiters.append(lambda session, error: _settle(awaited, session, error))
        return await awaited

    async def _build(self, asked: Asked, woken: Woken | None, snapshot: Snapshot | None = None) -> Session:
        document, context = await self._filled(asked, woken, snapshot)
        prepared = None if snapshot is None else snapshot.prepared
        saving = self._saving
        opened = None if saving is None else saving.opening(self.application, context, document, woken)
        if saving is None or opened is None:
            if saving is not None and woken is not None:
                saving.saver.waker.give_back(woken)
            return self._opened(document, context, prepared).session
        return await self._saved(saving, opened, document, context, prepared, woken)

    async def _filled(
        self, asked: Asked, woken: Woken | None = None, snapshot: Snapshot | None = None
    ) -> tuple[ServedDocument, SessionContext]:
        """The document that the application has filled, with its context; ApplicationError if it fails."""
        document = new_document(asked.session_id) if snapshot is None else snapshot.document
        opening = None if woken is None else woken.opening
        if opening is not None:
            asked = asked.as_saved(opening)
        fields = {} if opening is None or woken is None or woken.saved is None else woken.saved.fields
        state = fields.get("state", {})
        context = SessionContext(
            asked.session_id,
            self.context.server_context,
            document,
            asked.request,
            asked.payload,
            self._logout_url,
            asked.user,
            state=state if isinstance(state, dict) else {},
            restoring=opening is not None,
            begun_s=asked.begun_s,
            access_token=self._access_token,
            jobs=jobs_of_session(
                self.jobs, self.application, self.url, asked.session_id, asked.user, document, fields.get("jobs")
            ),
        )
        document.attach_context(context)
        try:
            with document.at_work():  # the models that the hook makes have the session's ids, too
                await self._hook("on_session_created", context)
            with document.at_work(), self.guest.building(document):
                if snapshot is None:
                    self.application.build(document)
        except BaseException:
            context.jobs.end(keeps=False)
            document.destroy()
            raise
        return document, context

    async def warm_up(self, visit: Visit, limit_s: float) -> None:
        name = LogName(f"{self.name}, which is warming up", application=self.url, session=WARMUP_ID)
        async with time_limit(limit_s, self._loop.running, self.url):
            await Noted(self._loop.running, Job(name), self._visited(visit))

    async def _visited(self, visit: Visit) -> None:
        """Run the application for a session that no client can have and that is not counted; end it, with its hooks."""
        request, payload = visit.ask()
        document, context = await self._filled(Asked(WARMUP_ID, request, payload, None, time.time()))
        session = self._opened(document, context, None).session
        try:
            with document.at_work():
                visit.show(document)
        finally:
            await super()._say_goodbye(session)
            self._take_back(document, context)

    def _session_name(self, context: SessionContext) -> LogName:
        return LogName(f"{self.name} session {context.id[:8]}…", application=self.url, session=context.id)

    async def _saved(
        self,
        saving: ApplicationSaving,
        opened: Mapping[str, Any],
        document: ServedDocument,
        context: SessionContext,
        prepared: Prepared | None,
        woken: Woken | None,
    ) -> Session:
        """The session of a document that was built, given what was saved of it, and saved from now on."""
        application = self.application
        saved = None if woken is None else woken.saved
        name = self._session_name(context)
        recording = saving.restored(application, self.guest, document, context, woken, name)
        context.attach_bookmarks(saving.bookmarks(application, opened, recording))
        queue = self._opened(document, context, prepared if saved is None else None, recording)
        hook = self._asked_what_to_save if application.hooks.saves else None
        saving.saver.keep(queue, recording, opened, woken, hook)
        if saved is not None and context.restoring:
            recording.save_whole()
            await self._run_restored_hook(saving.saver, context, document, saved.fields.get("hook"))
        return queue.session

    async def _asked_what_to_save(self, session: Session) -> Any:
        """What the application's on_session_saved returns, if it is made of plain values."""
        saving = self._saving
        return None if saving is None else await saving.asked(self.application, self._call_hook, session)

    async def _run_restored_hook(
        self, saver: Saver, context: SessionContext, document: ServedDocument, kept: object
    ) -> None:
        """Run on_session_restored with what on_session_saved had returned."""
        hooks = self.application.hooks
        try:
            await self._call_hook(lambda: hooks.on_session_restored(context, kept), "on_session_restored", context.id)
        except BaseException:  # the request that the session is built for was given up
            saver.drop(self.url, context.id)
            self._take_back(document, context)
            raise
        context.note_restored()

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
        if session.context.jobs is not None:
            session.context.jobs.end(keeps=not session.expiration_requested)
        await super()._say_goodbye(session)
        self.guest.ended(session.document)
        if session.ended_by_operator:
            self._show_end(session)

    def _show_end(self, session: Session) -> None:
        """Have the session's page, which comes back at once, show why it has ended."""
        fill = partial(fill_notice, root_ids=root_ids(session.document), html=ended_by_operator())
        self.stand_in(session.id, fill, session.context.user)

    async def _hook(self, name: str, context: object) -> None:
        hook = getattr(self.application.hooks, name)
        if hook is not getattr(_NO_HOOKS, name):
            session_id = context.id if isinstance(context, SessionContext) else ""
            await self._call_hook(lambda: hook(context), name, session_id)


def _settle(future: asyncio.Future[Session], session: Session | None, error: BaseException | None) -> None:
    if future.done():
        return
    if session is not None:
        future.set_result(session)
    else:
        future.set_exception(ApplicationError(str(error)) if not isinstance(error, Exception) else error)
