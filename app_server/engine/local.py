"""The runtime of an application whose sessions live in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app_server.apps import Application
from app_server.document.served import ServedDocument, new_document
from app_server.engine.lifecycle import UNOBSERVED, Lifetimes, SessionObserver
from app_server.engine.loop import EngineLoop
from app_server.engine.running import Job, Noted
from app_server.engine.runtime import ApplicationRuntime
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

_clock = time.monotonic


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
        try:
            work = self._build(session_id, request, token_payload, user)
            session = await Noted(self._loop.running, job, work)
        except BaseException as error:
            self.admission.leave((self.url, session_id))
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

    async def _build(
        self,
        session_id: str,
        request: VisibleRequest | None,
        token_payload: Mapping[str, Any],
        user: Any,
        snapshot: Snapshot | None = None,
    ) -> Session:
        document = new_document(session_id) if snapshot is None else snapshot.document
        context = SessionContext(
            session_id, self.context.server_context, document, request, token_payload, self._logout_url, user
        )
        document.attach_context(context)
        try:
            await self._hook("on_session_created", context)
            with document.at_work(), self.guest.building(document):
                if snapshot is None:
                    self.application.build(document)
        except BaseException:
            document.destroy()
            raise
        return self._opened(document, context, None if snapshot is None else snapshot.prepared)

    def _opened(self, document: ServedDocument, context: SessionContext, prepared: Prepared | None) -> Session:
        """The session of a document that was filled; ApplicationError if no client could get it."""
        guest = self.guest
        session = self._open(document, context, prepared).session
        try:
            guest.opened(session)
            if prepared is None and not guest.changes_pages:
                session.prepare()
            with document.at_work():
                if self._limits.show_tracebacks:
                    document.validate()
        except BaseException:
            self._lifecycle.discard(session.id)
            guest.ended(document)
            document.destroy()
            raise
        return session

    async def _say_goodbye(self, session: Session) -> None:
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
        snapshot: Snapshot | None = None,
    ) -> None:
        super().__init__(application, url, limits, lifetimes, loop, gauges, admission, logout_url, observer)
        self._snapshot = snapshot

    def _make_context(self) -> ApplicationContext:
        return isolated_context(self.url)

    async def _build(
        self,
        session_id: str,
        request: VisibleRequest | None,
        token_payload: Mapping[str, Any],
        user: Any,
        snapshot: Snapshot | None = None,
    ) -> Session:
        snapshot, self._snapshot = self._snapshot, None
        return await super()._build(session_id, request, token_payload, user, snapshot)


def _settle(future: asyncio.Future[Session], session: Session | None, error: BaseException | None) -> None:
    if future.done():
        return
    if session is not None:
        future.set_result(session)
    else:
        future.set_exception(ApplicationError(str(error)) if not isinstance(error, Exception) else error)
