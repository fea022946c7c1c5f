"""One application at work: its sessions, their clients, and the loop that moves them.

What a client does becomes a turn of its session (`engine.turns`); what a turn sends leaves by the application's
`Delivery`. Where the sessions live is what the two kinds of runtime differ in: `engine.local` and `engine.isolated`.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakSet

from app_server.apps import Application
from app_server.document.saving.recording import Recording
from app_server.document.served import ServedDocument, new_document
from app_server.engine.delivery import Delivery
from app_server.engine.hooks import call_hook
from app_server.engine.lifecycle import UNOBSERVED, Lifecycle, Lifetimes, SessionObserver
from app_server.engine.loop import EngineLoop
from app_server.engine.saving.application_saving import ApplicationSaving
from app_server.engine.saving.endings import Endings
from app_server.engine.saving.saver import Saver
from app_server.engine.saving.woken import Woken
from app_server.engine.sinks import FrameSink
from app_server.engine.turns.profiler import Profile, profile_session
from app_server.engine.turns.queue import TurnQueue
from app_server.engine.turns.traced import TracedSession
from app_server.engine.warmup import Visit
from app_server.errors import PeerError
from app_server.guests import Guest, guest_for
from app_server.jobs.running.pool import JobPool
from app_server.observe.gauges import ApplicationGauges
from app_server.observe.logs import SHORT
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.protocol import messages
from app_server.protocol.messages import Message
from app_server.security.admission import Admission
from app_server.security.visible_request import VisibleRequest
from app_server.session.connection import Connection
from app_server.session.context import AccessToken, ApplicationContext, SessionContext, no_access_token
from app_server.session.effects import Effect, SessionHost
from app_server.session.limits import MessageLimits
from app_server.session.naming import LogName
from app_server.session.notice import shown_to
from app_server.session.session import Session
from app_server.session.whole_document import Prepared
from app_server.sources.route_patterns import RoutePattern

log = logging.getLogger(__name__)


class ApplicationRuntime(ABC):
    """One application with its sessions and their clients."""

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
        access_token: AccessToken = no_access_token,
        turns: type[TurnQueue] = TurnQueue,
        tracing: Tracing = UNTRACED,
        jobs: JobPool | None = None,
    ) -> None:
        guest_for(application.imports)  # now, for importing what it brings along can take seconds
        self.application = application
        self.url = url
        self.url_pattern = RoutePattern.read(url)
        """What its route is, if that has placeholders."""
        self.name = LogName(url, application=url)
        self.gauges = gauges or ApplicationGauges()
        self.admission = admission if admission is not None else Admission()
        self.delivery = Delivery(self.gauges, loop.time)
        self.jobs = jobs if jobs is not None else JobPool()
        self._tracing = tracing
        self._limits = limits
        self._loop = loop
        self._logout_url = logout_url
        self._access_token = access_token
        self.connection_numbers = count(1)
        """A number for each new connection."""
        self._saver = saver
        self._saving = None if saver is None else ApplicationSaving(saver, url, self.name)
        if saver is not None:
            _ = application.sources  # read now: later, the files may be those of the next release
        self._lifecycle = Lifecycle(
            url, loop, self.delivery, self.gauges, self.admission, lifetimes, observer, self._say_goodbye, turns
        )  # fmt: skip
        self.registry = self._lifecycle.registry
        self.begin_stop = self._lifecycle.begin_stop
        self._queues = self._lifecycle.queues
        self.context = self._make_context()
        self._stand_ins: WeakSet[Session] = WeakSet()
        self.hook_fault = ""
        """What the last hook that failed has raised, and where; "" if none has failed."""

    @property
    def guest(self) -> Guest:
        """The library that the application brings along, if it needs something of its server."""
        return guest_for(self.application.imports)

    def _make_context(self) -> ApplicationContext:
        return ApplicationContext(self.url, lambda: self.registry)

    def observe(self, observer: SessionObserver) -> None:
        """Notify this observer of sessions from now on."""
        self._lifecycle.observe(observer)

    async def start(self) -> None:
        """Run the application's on_server_loaded, and begin to look for unused sessions."""
        await self._hook("on_server_loaded", self.context.server_context)
        self._lifecycle.start()

    @abstractmethod
    async def warm_up(self, visit: Visit, limit_s: float) -> None:
        """Run the application for this visit, and end the session, if its code runs here; see `time_limit`."""

    async def replace(self, application: Application) -> None:
        """Serve this application from now on: the old one is unloaded, the new one loaded, with their hooks."""
        await self._hook("on_server_unloaded", self.context.server_context)
        self.jobs.cancel_all(self.url)
        self.application = application
        await self._hook("on_server_loaded", self.context.server_context)

    async def stop(self, close_code: int = 1001) -> None:
        """End every session with its hooks, then run on_server_unloaded. Those that are saved go on elsewhere."""
        self.delivery.close_all(close_code, "the server is going away")
        await self._lifecycle.stop()
        self.jobs.cancel_all(self.url)
        await self._hook("on_server_unloaded", self.context.server_context)

    # Sessions are found, made and ended.

    @abstractmethod
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
        """The session of this id, built if need be, once, however many ask for it at the same time.

        One that was saved is restored, with the request and the user that it had; a `fresh` id was never used. One
        that is a copy of another is given what was saved of that.

        One that is there already may be another user's: the caller looks at its context. Raises ApplicationError
        if the application's code fails, and Full if it cannot be built for one more session of this address.
        """

    async def is_saved(self, session_id: str) -> bool:
        """Whether a session of this id can be restored, although it is not here. Full if that cannot be said now."""
        return self._saver is not None and await self._saver.waker.is_saved(self.url, session_id, self.name)

    @property
    def saves(self) -> bool:
        """Whether sessions are saved."""
        return self._saver is not None

    def log_out(self, owner: str) -> None:
        """End a user's sessions in all other processes, and delete what is saved of them, of all applications, soon."""
        if self._saver is not None:
            self._saver.log_out(owner)

    def end_asked(self, endings: Endings) -> None:
        """End those of the sessions that are to end. If one cannot be checked, it goes on, and the others are ended."""
        for session in self.registry:
            try:
                if endings.concern(session):
                    self.begin_end(session)
            except Exception:
                log.exception("%s: the server cannot say whether it is to end", session.name)

    async def bookmarked(self, link: str) -> Woken:
        """The session that this link leads to. PeerError if there is none."""
        if self._saver is None:
            raise PeerError("this server keeps no links to sessions")
        return await self._saver.bookmarks.open(link, self.url)

    @abstractmethod
    def check_admission(self, session_id: str, address: str, owner: str = "") -> None:
        """Raise Full if this session is not there and cannot be built for this address and owner."""

    @abstractmethod
    def process_request(self, request: Any) -> Mapping[str, Any]:
        """What the application's hook returns for a request, if its code runs in this process."""

    def stand_in(self, session_id: str, fill: Callable[[ServedDocument], None], user: Any = None) -> None:
        """Make a session of this id whose document is filled by the server itself, and not by the application.

        If it is there already, or is being built, another request was faster, and it stays as it is.
        """
        if self.registry.get(session_id) is not None or self.registry.building(session_id) is not None:
            return
        document = new_document(session_id)
        context = SessionContext(session_id, self.context.server_context, document, None, {}, None, user)
        document.attach_context(context)
        with document.at_work():
            fill(document)
        session = self._open(document, context).session
        session.expect_returning_page()
        self._stand_ins.add(session)
        self.registry.succeed(self.registry.begin(session_id), session)

    def _open(
        self,
        document: ServedDocument,
        context: SessionContext,
        prepared: Prepared | None = None,
        recording: Recording | None = None,
    ) -> TurnQueue:
        trace = self._tracing.session(self.url, context.id)
        kind = Session if trace is None else partial(TracedSession, trace)

        def make(host: SessionHost) -> Session:
            return kind(
                context.id, document, context, self._limits, host, application=self.url, now_s=self._loop.time(),
                prepared=prepared, recording=recording,
            )  # fmt: skip

        queue = self._lifecycle.open(context.id, make, trace)
        context.attach(queue.session, queue.locked_calls.call)
        return queue

    def _take_back(self, document: ServedDocument, context: SessionContext) -> None:
        """Take back a session that no client has had."""
        self._lifecycle.discard(context.id)
        if context.jobs is not None:
            context.jobs.end(keeps=False)
        self.guest.ended(document)
        document.destroy()

    def begin_end(self, session: Session) -> None:
        """End a session in a task of its own."""
        self._lifecycle.begin_end(session)

    def move_away(self, session: Session) -> None:
        """Close the session's clients, to let them come back to the process that has it now, and end it here."""
        for connection in list(session.connections):
            sink = self.delivery.disconnect(connection)
            if sink is not None:
                sink.close(1012, "the session has moved")
        self.begin_end(session)

    async def end(self, session: Session) -> None:
        """End a session: its hooks run, its connections are closed, its memory is free."""
        await self._lifecycle.end(session)

    async def _say_goodbye(self, session: Session) -> None:
        """Run what the application wants to run at this session's end, if it is one of its own."""
        if session in self._stand_ins:
            return
        await self._hook("on_session_destroyed", session.context)
        for callback in session.document.ending_callbacks():
            await self._call_hook(partial(callback, session.context), "on_session_destroyed", session.id)

    @abstractmethod
    async def _hook(self, name: str, context: object) -> None:
        """Run this hook of the application, if its code runs in this process."""

    def _attributes(self, session_id: str = "") -> dict[str, str]:
        """What a span says of the application and the session that it belongs to, whose whole id would open it."""
        session = {"app_server.session": session_id[:SHORT]} if session_id else {}
        return {"app_server.application": self.url, **session}

    async def _call_hook(self, call: Callable[[], Any], name: str, session_id: str = "") -> None:
        with self._tracing.span(f"hook {name}", self._attributes(session_id)):
            if (error := await call_hook(call, name, self.name, self._loop.running)) is not None:
                self._tracing.failed(error)
                self.hook_fault = str(self.application.error_from(error))

    # Clients come, go, and send messages.

    def connect(self, session: Session, connection: Connection, sink: FrameSink) -> None:
        """A client has come."""
        self.delivery.connect(connection, session.name, sink)
        self.gauges.connected += 1
        self._lifecycle.connect(session, connection)

    def receive(self, session: Session, connection: Connection, message: Message, heard_s: float | None = None) -> None:
        """A message has come from a client; `heard_s` is when, by the monotonic clock."""
        self.gauges.messages_in += 1
        queue = self._queues.get(session.id)
        if queue is None:
            return
        if message.msgtype == messages.PATCH_DOC:
            queue.hear(partial(self._change, session, connection, message), "change", heard_s)
        else:
            # A client that has just asked for the document may keep up.
            queue.hear(partial(session.receive, connection, message), over=queue.paced.go_on)

    def _change(self, session: Session, connection: Connection, message: Message) -> list[Effect]:
        if self.delivery.backlogs:
            self.delivery.set_by(connection, message)
        return session.receive(connection, message)

    def caught_up(self, session: Session, connection: Connection) -> None:
        """A client that was late has read what it was sent."""
        self.delivery.caught_up(connection)
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.paced.go_on()

    def realign(self, session: Session, connection: Connection, round_number: int) -> None:
        """A client has not asked for its document since it was sent the ACK."""
        queue = self._queues.get(session.id)
        if queue is not None and not connection.asked:
            queue.submit(lambda: session.realign(connection, round_number))

    def show_notice(self, session: Session, connection: Connection, html: str, *, again: bool = True) -> None:
        """Show something to a client, and `again` when it is back, because its connection is about to end."""
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.submit(lambda: session.show_notice(connection, html, again=again))

    def show_message(self, session: Session, html: str) -> None:
        """Show something above the page of every client of a session."""
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.submit(lambda: [shown_to(list(session.viewers), html)])

    def end_by_operator(self, session: Session) -> None:
        """End a session because an operator says so; its page shows that, and what is saved of it is deleted."""
        session.note_ended_by_operator()
        session.request_expiration()
        self.begin_end(session)

    def own_sessions(self) -> Iterator[tuple[Session, TurnQueue]]:
        """The application's living sessions in this process, with their turns."""
        for session in self.registry:
            queue = self._queues.get(session.id)
            if queue is not None and session not in self._stand_ins:
                yield session, queue

    async def profile(self, session: Session, duration_s: float) -> Profile:
        """Sample what the session's callbacks do, for so long or until it ends."""
        return await profile_session(self._loop, session.name, duration_s, lambda: session.destroyed)

    def disconnect(self, session: Session, connection: Connection) -> None:
        """A client has gone."""
        self.delivery.disconnect(connection)
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.hear(lambda: session.leave(connection, self._loop.time()), over=queue.paced.go_on)

    def now(self) -> dict[str, int]:
        """What is true of the application's sessions at this moment, as numbers for the metrics."""
        connections = [session.connection_count for session in self.registry]
        jobs = self.jobs.count(self.url)
        return {
            "sessions": len(connections),
            "connections": sum(connections),
            "unused": connections.count(0),
            "queued_bytes": self.delivery.queued_bytes,
            "jobs_running": jobs.running,
            "jobs_queued": jobs.queued,
        }
