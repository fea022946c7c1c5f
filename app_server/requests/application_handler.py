"""A request to an application: who asks, which session is meant, and whether it may be had."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError

from app_server.engine.containment import is_fault
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import ApplicationError, AppServerError, PeerError
from app_server.http.base_handler import BaseHandler
from app_server.http.doctor_header import add_for_doctor
from app_server.processes.session_processes import SessionProcesses
from app_server.requests.dispatch import hand_over, hand_to_session, refusing_without_descriptors
from app_server.requests.socket_handoff import user_of_letter
from app_server.requests.state import ServerState
from app_server.security import tokens
from app_server.security.admission import RETRY_AFTER_S, Full
from app_server.security.tokens import Token
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from app_server.settings import EXTERNAL_IDS

log = logging.getLogger(__name__)


class Handler(BaseHandler):
    """A request to the site; the gate is asked first where it matters who asks."""

    state: ServerState

    guarded = False
    """Whether the gate has to know who asks."""

    def initialize(self, state: ServerState) -> None:
        """Called by Tornado with what the route carries."""
        self.state = state
        state.process.under_way.add(self)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an answer that will come."""
        return not self._finished

    @property
    def finished(self) -> bool:
        """Whether the request was answered, or is no longer ours to answer."""
        return self._finished

    def passed_on(self) -> None:
        """Take note that another process answers."""
        self._finished = True

    async def prepare(self) -> None:
        """Find out who asks, before anything else, where that matters."""
        self.name_request()
        if not self.guarded or self.request.method == "OPTIONS":
            return
        # Another process of ours has asked the gate already, which may remember there what nobody knows here.
        user = user_of_letter(self.request) or await self.state.policy.auth.user(self)
        if self._finished:
            return
        if user:
            self.current_user = user
        else:
            self.state.policy.auth.deny(self)

    def get_login_url(self) -> str:
        """Where whoever asks can log in."""
        return self.state.policy.auth.login_url(self) or ""


_NOT_YOURS = "This session belongs to somebody else"

_REFUSALS = {401: "login", 403: "login", 500: "failed", 503: "draining"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The session that a request may have; `may_build` says whether it may also be the first to have it."""

    session_id: str
    may_build: bool


class ApplicationHandler(Handler):
    """A request to one application."""

    runtime: ApplicationRuntime
    guarded = True
    opens_sessions = False
    """Whether a request belongs to the process that has, or makes, its session."""

    socket_repeats_arguments = True
    """Whether a browser opens the socket of such a page with the arguments that the page was asked for with."""

    refusal = ""
    """What it is counted as when it is refused, where the status does not say it well enough."""

    def on_finish(self) -> None:
        """Count what was refused."""
        if self.opens_sessions and self.get_status() >= 400:
            self.runtime.gauges.refused[self._reason_of(self.get_status())] += 1

    def _reason_of(self, status: int) -> str:
        """What a refusal with this status is counted as."""
        return self.refusal or _REFUSALS.get(status, "malformed")

    def refuse(self, status: int, headline: str, hint: str | None = None, *, detail: str = "") -> None:
        """Answer with an error page; the doctor reads from a header why."""
        add_for_doctor(self, refused=self._reason_of(status))
        super().refuse(status, headline, hint, detail=detail)

    def initialize(self, state: ServerState, runtime: ApplicationRuntime) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize(state)
        self.runtime = runtime

    async def prepare(self) -> None:
        """Leave the request to the process that it belongs to; if that is this one, find out who asks."""
        workers, session_processes = self.state.process.workers, self.state.process.session_processes
        apart = session_processes is not None and self.runtime.isolated
        if self.belongs_elsewhere and workers is not None and not apart:
            with refusing_without_descriptors(self):
                await hand_over(self, workers)
        if self._finished:
            return
        await super().prepare()
        if apart and self.belongs_elsewhere and not self._finished:
            assert workers is not None and session_processes is not None
            with refusing_without_descriptors(self):
                await hand_to_session(self, workers, session_processes)

    @property
    def belongs_elsewhere(self) -> bool:
        """Whether another process may have to answer: the one that has the session."""
        return self.opens_sessions and self.request.method == "GET"

    def answer_for_all(self, session_processes: SessionProcesses) -> bool:
        """Whether the request was answered with what is the same for all new sessions, none of which is needed yet."""
        return False

    def refuse_for_a_moment(self) -> None:
        """Answer that the process which has the session is not there now."""
        self.set_header("Retry-After", "2")
        self.refuse(503, "The process that has this session is about to start again", "Try again in a moment.")

    def refuse_full(self, full: Full) -> None:
        """Answer that no more sessions are taken."""
        self.log_full(full)
        self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.refuse(503, full.sentence)

    def wanted_session(self) -> Wanted | None:
        """The session that this request may have; None where it is to be refused as if it were built here."""
        text, given = self._given()
        if len(given) > 1:
            return None
        try:
            if text is None:
                return Wanted(self._session_id(given[0] if given else None), may_build=True)
            return self._wanted_by(text)
        except (PeerError, HTTPError):
            return None

    def _given(self) -> tuple[str | None, list[str]]:
        """The token that the request brings, and all that it brings of tokens and session ids: one at most is right."""
        text = self.get_argument("bokeh-token", None)
        given = (text, self.get_argument("bokeh-session-id", None), self.request.headers.get("Bokeh-Session-Id"))
        return text, [value for value in given if value is not None]

    def _wanted_by(self, text: str) -> Wanted | None:
        token = self.state.policy.read_token(text)
        return Wanted(token.session_id, self.state.process.may_build(token)) if self.may_use(token) else None

    def _names_a_session(self) -> bool:
        """Whether the request says, well or badly, which session it is for."""
        named = ("bokeh-token", "bokeh-session-id")
        return any(name in self.request.arguments for name in named) or "Bokeh-Session-Id" in self.request.headers

    def named_session(self) -> str | None:
        """The id of the session that the request names, well or badly signed; None where it names none."""
        text = self.get_argument("bokeh-token", None)
        if text is not None:
            return self.session_of(text)
        return self.get_argument("bokeh-session-id", None) or self.request.headers.get("Bokeh-Session-Id")

    def session_of(self, text: str) -> str | None:
        """The id of the session that a token names; None where it is no token of ours."""
        try:
            return self.state.policy.read_token(text).session_id
        except PeerError:
            return None

    @property
    def user(self) -> Any:
        """Whoever asks, for the application; None where nobody logs in."""
        return None if self.state.policy.auth.open else self.current_user

    def owns(self, session: Session) -> bool:
        """Whether the session is that of whoever asks, or anybody's."""
        auth = self.state.policy.auth
        return auth.open or auth.owner(session.context.user) == auth.owner(self.current_user)

    def may_use(self, token: Token) -> bool:
        """Whether the token is that of whoever asks, or anybody's."""
        state = self.state
        return (
            state.policy.auth.open or token.owner is None or state.policy.is_owner_mark(self.current_user, token.owner)
        )

    def own(self, session: Session) -> Session:
        """The session, if it is that of whoever asks; HTTPError 403 otherwise."""
        if not self.owns(session):
            self.log_refusal("%s: refused %s the session of another user", session.name, self.request.remote_ip)
            self.refusal = "owner"
            raise HTTPError(403, reason=_NOT_YOURS)
        return session

    @property
    def address(self) -> str:
        """Where the request comes from, as far as the proxies that are trusted say."""
        return self.request.remote_ip or ""

    def visible_request(self) -> VisibleRequest:
        """What of this request the application may see."""
        return self.state.policy.visible_request(self.request)

    async def open_session(self) -> tuple[Session, str]:
        """The session that this request asks for, built if need be, and the token for its socket.

        Raises HTTPError 403 where the request may not have it, ApplicationError where the application fails.
        """
        await self.state.process.look_for_changes()
        text, given = self._given()
        if len(given) > 1:
            self.refusal = "token"
            raise HTTPError(403, reason="More than one session id or token was given")
        try:
            if text is not None:
                token = self.state.policy.read_token(text)
                if self.runtime.registry.get(token.session_id) is None and not self.state.process.may_build(token):
                    raise PeerError("the token has expired")
                return await self.session_for(token), text
            session_id = self._session_id(given[0] if given else None)
        except PeerError as error:
            log.warning("%s: refused %s: %s", self.runtime.name, self.request.remote_ip, error)
            self.refusal = "token"
            raise HTTPError(403, reason="Invalid token or session ID") from None
        request = self.visible_request()
        expires_at = self.state.policy.token_expiry_s()
        payload = {**self._payload(request), "session_expiry": expires_at}
        session = self.own(await self.runtime.session(session_id, request, payload, self.user, self.address))
        arguments = None if self.socket_repeats_arguments else request.arguments
        return session, self.state.policy.mint_token(session_id, expires_at, payload, self.current_user, arguments)

    def _payload(self, request: VisibleRequest) -> dict[str, Any]:
        """What an application finds in its session's token_payload: the request, and what its hook makes of it."""
        if self.runtime.isolated:
            return request.payload()
        seen = copy(self.request)
        if request.arguments:  # those of the page, which its socket's request may lack
            seen.arguments = seen.query_arguments = {**self.request.arguments, **request.arguments}
        return {**request.payload(), **self.runtime.application.process_request(seen)}

    def _session_id(self, given: str | None) -> str:
        state = self.state
        if given is None:
            if state.settings.session_ids in EXTERNAL_IDS:
                self.refusal = "token"
                raise HTTPError(403, reason="No bokeh-session-id provided")
            return state.mint_session_id()
        if not given or len(given) > 256 or not tokens.verify_session_id(state.policy.signer, given):
            raise PeerError("the signature of a session id is wrong")
        return given

    async def session_for(self, token: Token) -> Session:
        """The session that a verified token names, built if it is not there.

        Raises HTTPError 403 where token or session are another user's.
        """
        if not self.may_use(token):
            self.log_refusal("%s: refused %s the token of another user", self.runtime.name, self.request.remote_ip)
            self.refusal = "owner"
            raise HTTPError(403, reason=_NOT_YOURS)
        living = self.runtime.registry.get(token.session_id)
        if living is not None:
            return self.own(living)
        request, payload = self._remembered(token)
        return self.own(await self.runtime.session(token.session_id, request, payload, self.user, self.address))

    def _remembered(self, token: Token) -> tuple[VisibleRequest, dict[str, Any]]:
        """The request that a new session of this token is made for, and what its application finds in token_payload.

        A token with our signature says what its page's request looked like, as far as that travels in it. For the rest
        this request counts, as it does for an unsigned token: a browser's handshake repeats the headers,
        cookies and arguments of its page.
        """
        arrived, payload = self.visible_request(), token.payload
        if not token.trusted:
            request = arrived.with_arguments_of(payload)
            return request, {**self._payload(request), "session_expiry": token.expires_at}
        request = VisibleRequest.from_payload(payload, arrived)
        travels_whole = "headers" in payload
        return request, payload if travels_whole else {**self._payload(request), **payload}

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """A block in which the application's code may run, such as its template: what it raises is its error."""
        try:
            yield
        except AppServerError:
            raise
        except BaseException as error:
            if not is_fault(error):
                raise
            raise self.runtime.application.error_from(error) from error

    def rendered(self, session: Session) -> None:
        """Encode the document for its first client if rendering has changed it; ApplicationError where that fails."""
        if self.runtime.guest.changes_pages and session.is_new:
            session.prepare()

    def log_full(self, full: Full) -> None:
        """Say in the log that this address gets no session now."""
        self.refusal = full.reason
        self.log_refusal("%s: no session for %s: %s", self.runtime.name, self.address, full)

    def refuse_application(self, error: ApplicationError) -> None:
        """Answer that the application failed; with the traceback in development alone."""
        log.error("%s: %s", self.runtime.name, error, exc_info=error.__cause__ or error)
        self.set_status(500)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(self.state.pages.failure_page(error))
