"""A request to an application: which session it is for, which process answers, and whether it may have the session."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Any

from tornado.web import HTTPError

from app_server.engine.containment import blamed
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.woken import Woken
from app_server.errors import ApplicationError, PeerError
from app_server.http.doctor_header import add_for_doctor
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.dispatch.dispatcher import Caller, Dispatcher, HandedOver, Outcome, Refused
from app_server.requests.dispatch.opening import Opening, as_saved, read_opening
from app_server.requests.dispatch.socket_handoff import portable
from app_server.requests.ended_page import show_exit_record
from app_server.requests.routed import Captures, RoutedHandler
from app_server.requests.seen_request import payload_of, remembered
from app_server.requests.state.server_state import ServerState
from app_server.security.admission import Full
from app_server.security.auth.users import name_shown
from app_server.security.tokens import Token
from app_server.session.context import VIEW
from app_server.session.session import Session

log = logging.getLogger(__name__)

NOT_YOURS = "This session belongs to another user"

_REFUSALS = {401: "login", 403: "login", 500: "failed", 503: "draining"}


class ApplicationHandler(RoutedHandler):
    """A request to one application, and the session that it is for."""

    guarded = True
    opening: Opening | None = None
    """The session that a request is for; None if it is for none."""

    opens_sessions = False
    """Whether a request belongs to the process that has, or makes, its session."""

    socket_repeats_arguments = True
    """Whether the browser opens the page's socket with the arguments of the page's own address."""

    refusal = ""
    """The reason by which a refusal is counted, if its status does not say it well enough."""

    session_processes: SessionProcesses | None
    """The processes of the application's sessions, each of which has its own; None if it is not isolated."""

    address: str
    """The address that the request comes from, as far as the proxies that are trusted say."""

    def initialize(  # type: ignore[override]
        self, state: ServerState, runtime: ApplicationRuntime, session_processes: SessionProcesses | None,
        captures: Captures | None = None,
    ) -> None:  # fmt: skip
        """Called by Tornado with the arguments of the route."""
        super().initialize(state, runtime, captures)
        self.session_processes = session_processes
        self.address = self.request.remote_ip or ""

    async def prepare(self) -> None:
        """Leave the request to the process that it belongs to; if that is this one, find out who sends it."""
        if self.opens_sessions and self.request.method == "GET":
            self.opening = self.read_opening()
            if self.opening is not None and not self.opening.may_build:
                try:
                    self.opening = await as_saved(self.opening, self.runtime)
                except Full as full:
                    self.refuse_full(full)
                    return
        workers, processes, opening = self.state.process.workers, self.session_processes, self.opening
        if workers is None or opening is None:
            await super().prepare()
        elif processes is None:
            self._settle(await self._dispatcher(workers).among_workers(opening))
            if not self._finished:
                await super().prepare()
        else:
            await super().prepare()
            if not self._finished:
                await self._find_session_process(workers, processes, opening)

    async def admit(self) -> None:
        """Refuse a user who may not open the application."""
        if not await self.state.policy.may_open(self.current_user, self.runtime.url):
            self.refusal = "access"
            who = name_shown(self.current_user)
            self.log_refusal("%s: %r at %s may not open it", self.runtime.name, who, self.request.remote_ip)
            add_for_doctor(self, refused=self.refusal)
            self.refuse_access()

    def _dispatcher(self, workers: WorkerGroup) -> Dispatcher:
        return Dispatcher(self.state.process, workers, self.runtime, self.request)

    async def _find_session_process(self, workers: WorkerGroup, processes: SessionProcesses, opening: Opening) -> None:
        """Hand the request to the process of its session; what is refused stays here."""
        if await self.answer_for_all(processes) or not self.may_have_session():
            return
        session_id = opening.session_id or self.state.mint_session_id()
        caller = Caller(session_id, portable(self.user), self.address, self.owner)
        outcome = await self._dispatcher(workers).to_session(opening, caller)
        self._settle(outcome, session_id)

    def _settle(self, outcome: Outcome, session_id: str = "") -> None:
        """Do what the dispatch of this request came to."""
        if isinstance(outcome, HandedOver):
            self.passed_on()
        elif isinstance(outcome, Refused):
            self._refuse_for_now(outcome)
        elif outcome.exit_record is not None:
            record = outcome.exit_record
            self.runtime.stand_in(session_id, lambda document: show_exit_record(record, document), self.user)

    def _refuse_for_now(self, refused: Refused) -> None:
        if refused.full is not None:
            self.refuse_full(refused.full)
            return
        if refused.log_line:
            self.log_refusal("%s: %s", self.runtime.name, refused.log_line)
        self.refusal = refused.reason
        self.set_header("Retry-After", "2")
        self.refuse(503, refused.headline, "Try again in a moment.")

    def read_opening(self) -> Opening | None:
        """The session that this request is for, as its token or id says."""
        ids = (self.get_argument("bokeh-session-id", None), self.request.headers.get("Bokeh-Session-Id"))
        return read_opening(
            self.state, self.get_argument("bokeh-token", None), [each for each in ids if each is not None]
        )

    def may_have_session(self) -> bool:
        """Whether the request may have its session; if not, it is refused as if the session were here."""
        opening = self.opening
        return opening is not None and not opening.refusal and (opening.token is None or self.may_use(opening.token))

    async def answer_for_all(self, session_processes: SessionProcesses) -> bool:
        """Whether the request was answered with what is the same for all new sessions, none of which is needed yet."""
        return False

    @property
    def names_a_session(self) -> bool:
        """Whether the request says, well or badly, which session it is for."""
        named = ("bokeh-token", "bokeh-session-id", VIEW)
        return any(name in self.request.arguments for name in named) or "Bokeh-Session-Id" in self.request.headers

    @property
    def user(self) -> Any:
        """The user, for the application; None if users do not log in."""
        return self.state.policy.auth.shown(self.current_user)

    @property
    def owner(self) -> str:
        """The mark of the user whose sessions are counted; empty if users do not log in."""
        return self.state.policy.auth.owner(self.current_user) or ""

    def owns(self, session: Session) -> bool:
        """Whether the session is that of this request's user, or anyone's."""
        return self.is_own(session.context.user)

    def is_own(self, user: Any) -> bool:
        """Whether this is the user who sends the request, or what this user has is anyone's."""
        auth = self.state.policy.auth
        return auth.open or (owner := auth.owner(user)) is None or owner == auth.owner(self.current_user)

    def may_use(self, token: Token) -> bool:
        """Whether the token is that of this request's user, or anyone's."""
        policy = self.state.policy
        return policy.auth.open or token.owner is None or policy.is_owner_mark(self.current_user, token.owner)

    def own(self, session: Session) -> Session:
        """The session, if it is that of this request's user; HTTPError 403 otherwise."""
        if not self.owns(session):
            raise self.not_yours(f"{session.name}: refused %s the session of another user")
        return session

    def not_yours(self, message: str) -> HTTPError:
        """The error for a session or token of another user, which is logged with the address of this request."""
        self.log_refusal(message, self.request.remote_ip)
        self.refusal = "owner"
        return HTTPError(403, reason=NOT_YOURS)

    async def open_session(self) -> tuple[Session, str]:
        """The session that this request is for, built if need be, and the token for its socket.

        Raises HTTPError 403 if the request may not have it, ApplicationError if the application fails.
        """
        await self.state.process.look_for_changes()
        opening = self.opening
        assert opening is not None
        if opening.refusal:
            raise self._malformed(opening.refusal, opening.error)
        if opening.token is not None:
            if not self.may_use(opening.token):
                raise self.not_yours(f"{self.runtime.name}: refused %s the token of another user")
            try:
                session, _ = await self.session_of(opening.token, may_build=opening.may_build)
            except PeerError as error:
                raise self._malformed("Invalid token or session ID", error) from None
            return session, opening.token.raw
        fresh = opening.session_id is None and self.state.process.only_session is None
        self.state.process.check_visitor(known=self.runtime.registry.get(opening.session_id or "") is not None)
        return await self._new_session(opening.session_id or self.state.mint_session_id(), fresh=fresh)

    def _malformed(self, reason: str, error: PeerError | None) -> HTTPError:
        """The error for a token or id that is not right."""
        if error is not None:
            log.warning("%s: refused %s: %s", self.runtime.name, self.request.remote_ip, error)
        self.refusal = "token"
        return HTTPError(403, reason=reason)

    async def _new_session(self, session_id: str, *, fresh: bool) -> tuple[Session, str]:
        policy = self.state.policy
        request = self.visible_request()
        copied = await self._copied()
        request = request if copied is None else copied.request_of(request)
        expires_at = policy.token_expiry_s()
        payload = {**payload_of(self.runtime, self.request, request), "session_expiry": expires_at}
        woken = None if copied is None else copied.for_visitor(request, payload, self.user)
        about = session_id, request, payload, self.user, self.address
        session = self.own(await self.runtime.session(*about, fresh=fresh, copy_of=woken))
        arguments = None if self.socket_repeats_arguments else request.arguments
        return session, policy.mint_token(session_id, expires_at, payload, self.current_user, arguments)

    async def _copied(self) -> Woken | None:
        """The session that the address has a link to. HTTPError 404 if there is none, 403 if it is another user's."""
        link = self.get_argument(VIEW, None)
        if link is None:
            return None
        try:
            copied = await self.runtime.bookmarked(link)
        except PeerError as error:
            self.refusal = "bookmark"
            raise HTTPError(404, reason=error.what) from None
        if copied.for_anyone or self.is_own(copied.user):
            return copied
        raise self.not_yours(f"{self.runtime.name}: refused %s a link to the session of another user")

    async def session_of(self, token: Token, *, may_build: bool) -> tuple[Session, bool]:
        """The session of a token that this user may use, and whether it was there already.

        Raises HTTPError 403 if the session is another user's, PeerError if it would have to be built and may not.
        """
        living = self.runtime.registry.get(token.session_id)
        if living is not None:
            return self.own(living), True
        if not may_build:
            raise PeerError("the token has expired; load the page again", close_code=1008)
        arrived = self.visible_request()
        request, payload = remembered(self.runtime, self.request, arrived, token)
        return self.own(await self.runtime.session(token.session_id, request, payload, self.user, self.address)), False

    def blamed(self) -> AbstractContextManager[None]:
        """A block in which the application's code may run, such as its template: what it raises is its error."""
        return blamed(self.runtime.application)

    def rendered(self, session: Session) -> None:
        """Encode the document for its first client if rendering has changed it; ApplicationError if that fails."""
        if self.runtime.guest.changes_pages and session.is_new:
            session.prepare()

    def on_finish(self) -> None:
        """Count what was refused."""
        if self.opens_sessions and self.get_status() >= 400:
            self.runtime.gauges.refused[self._reason_of(self.get_status())] += 1

    def _reason_of(self, status: int) -> str:
        """The reason by which a refusal with this status is counted."""
        return self.refusal or _REFUSALS.get(status, "malformed")

    def refuse(self, status: int, headline: str, hint: str | None = None, *, detail: str = "") -> None:
        """Answer with an error page; the doctor reads the reason from a header."""
        add_for_doctor(self, refused=self._reason_of(status))
        super().refuse(status, headline, hint, detail=detail)

    def refuse_full(self, full: Full) -> None:
        """Answer that there can be no more sessions."""
        self.log_full(full)
        self.set_header("Retry-After", str(full.retry_after_s))
        self.refuse(503, full.sentence)

    def log_full(self, full: Full) -> None:
        """Log that this address gets no session now."""
        self.refusal = full.reason
        who = f"{name_shown(self.current_user)!r} at {self.address}" if full.reason == "user" else self.address
        self.log_refusal("%s: no session for %s: %s", self.runtime.name, who, full)

    def refuse_application(self, error: ApplicationError) -> None:
        """Answer that the application failed; the page has the traceback in development only."""
        log.error("%s: %s", self.runtime.name, error, exc_info=error.__cause__ or error)
        self.set_status(500)
        self.finish_html(self.state.pages.failure_page(error))
