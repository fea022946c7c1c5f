"""The HTTP requests of an application and of the server: each is a few decisions of the rooms below, in order."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError

from app_server.errors import ApplicationError, AppServerError, PeerError
from app_server.fleet.crew import Crew
from app_server.fleet.letters import Unreachable
from app_server.fleet.wards import Wards
from app_server.page import busy_page
from app_server.protocol import doctor
from app_server.protocol.doctor import Seen
from app_server.security import tokens
from app_server.security.admission import RETRY_AFTER_S, Full
from app_server.security.tokens import Token
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from app_server.transport.answers import Answering
from app_server.transport.handover import pass_on, portable
from app_server.transport.notices import show_remains
from app_server.transport.runtime import ApplicationRuntime
from app_server.transport.site import Site

log = logging.getLogger(__name__)


class Handler(Answering):
    """A request to the site; the gate is asked first where it matters who asks."""

    site: Site

    guarded = False
    """Whether the gate has to know who asks."""

    def initialize(self, site: Site) -> None:
        """Called by Tornado with what the route carries."""
        self.site = site
        site.under_way.add(self)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an answer that will come."""
        return not self._finished

    async def prepare(self) -> None:
        """Find out who asks, before anything else, where that matters."""
        self.name_request()
        if not self.guarded or self.request.method == "OPTIONS":
            return
        context = getattr(self.request.connection, "context", None)
        # Another process of ours has asked the gate already, which may remember there what nobody knows here.
        user = getattr(context, "user", None) or await self.site.gate.user(self)
        if self._finished:
            return
        if user:
            self.current_user = user
        else:
            self.site.gate.turn_away(self)

    def get_login_url(self) -> str:
        """Where whoever asks can log in."""
        return self.site.gate.login_url(self) or ""


_NOT_YOURS = "This session belongs to somebody else"

_TOO_MANY = "Too many visitors at the moment"

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

    refusal = ""
    """What it is counted as when it is refused, where the status does not say it well enough."""

    def on_finish(self) -> None:
        """Count what was refused."""
        if self.opens_sessions and self.get_status() >= 400:
            reason = self.refusal or _REFUSALS.get(self.get_status(), "malformed")
            self.runtime.gauges.refused[reason] += 1

    def initialize(self, site: Site, runtime: ApplicationRuntime) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize(site)
        self.runtime = runtime

    async def prepare(self) -> None:
        """Leave the request to the process that it belongs to; if that is this one, find out who asks."""
        crew, wards = self.site.crew, self.site.wards
        apart = wards is not None and self.runtime.elsewhere
        if self.opens_sessions and crew is not None and self.request.method == "GET" and not apart:
            await self._hand_over(crew)
        if self._finished:
            return
        await super().prepare()
        if apart and self.opens_sessions and self.request.method == "GET" and not self._finished:
            assert crew is not None and wards is not None
            await self._hand_to_session(crew, wards)

    async def _hand_over(self, crew: Crew) -> None:
        named = self.named_session()
        try:
            box = await crew.owner(named)
            if box is None and named is None and crew.slots > 1 and self.site.admission.full:
                box = await crew.with_room()
            while box is not None and not self._finished:
                try:
                    await pass_on(self.request, crew, box, 0 if self.site.draining or crew.is_elder(box) else None)
                    self._finished = True  # elsewhere
                except Unreachable:
                    if not crew.is_elder(box):
                        raise
                    crew.forget(box)  # it has ended since it was asked
                    box = await crew.owner(named)
        except Unreachable:
            self._refuse_for_a_moment()

    async def _hand_to_session(self, crew: Crew, wards: Wards) -> None:
        """Hand the request to the process of its session, which is started if need be; what is refused stays here."""
        if self.answer_for_all(wards):
            return
        wanted = self.wanted_session()
        if wanted is None or self.runtime.registry.get(wanted.session_id) is not None:
            return
        box = wards.box(self.runtime.url, wanted.session_id)
        if await self._passed(crew, box):
            return
        try:
            other = await crew.owner(wanted.session_id)
            if other is not None:
                await pass_on(self.request, crew, other, 0 if self.site.draining else None)
                self._finished = True
                return
        except Unreachable:
            self._refuse_for_a_moment()
            return
        remains = await wards.remains(box)
        if remains is not None:
            self.runtime.stand_in(wanted.session_id, partial(show_remains, remains), self.user)
            return
        if not wanted.may_build or self.site.draining:
            return
        await self._start_session(crew, wards, wanted.session_id, box)

    def answer_for_all(self, wards: Wards) -> bool:
        """Whether the request was answered with what is the same for all new sessions, none of which is needed yet."""
        return False

    async def _start_session(self, crew: Crew, wards: Wards, session_id: str, box: Path) -> None:
        key = self.runtime.url, session_id
        try:
            self.runtime.admission.enter(key, self.address)
        except Full as full:
            self.refuse_full(full)
            return
        wards.clear(box)
        try:
            await wards.begin(*key, partial(self._session_over, key, box.name))
        except Unreachable as error:
            log.error("%s: no process for a session: %s", self.runtime.name, error)
            self._refuse_for_a_moment()
            return
        if not await self._passed(crew, box):
            self._refuse_for_a_moment()

    def _session_over(self, key: tuple[str, str], child: str) -> None:
        self.runtime.admission.leave(key)
        self.site.tallies.close(child)

    async def _passed(self, crew: Crew, box: Path) -> bool:
        """Whether a process answers behind this socket, and the request is its now."""
        if not box.exists():
            return False
        try:
            await pass_on(self.request, crew, box, 0, None if self.site.gate.open else portable(self.current_user))
        except Unreachable:
            return False
        self._finished = True
        return True

    def _refuse_for_a_moment(self) -> None:
        self.set_header("Retry-After", "2")
        self.refuse(503, "The process that has this session is about to start again", "Try again in a moment.")

    def refuse_full(self, full: Full) -> None:
        """Answer that no more sessions are taken."""
        self.tell_full(full)
        self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.refuse(503, full.sentence)

    def wanted_session(self) -> Wanted | None:
        """The session that this request may have; None where it is to be refused as if it were built here."""
        text = self.get_argument("bokeh-token", None)
        named = [
            value
            for value in (self.get_argument("bokeh-session-id", None), self.request.headers.get("Bokeh-Session-Id"))
            if value is not None
        ]
        if len(named) + (text is not None) > 1:
            return None
        try:
            if text is None:
                return Wanted(self._session_id(named[0] if named else None), may_build=True)
            return self._wanted_by(text)
        except (PeerError, HTTPError):
            return None

    def _wanted_by(self, text: str) -> Wanted | None:
        token = self.site.read_token(text)
        return Wanted(token.session_id, self.site.may_build(token)) if self.may_use(token) else None

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
            return self.site.read_token(text).session_id
        except PeerError:
            return None

    @property
    def user(self) -> Any:
        """Whoever asks, for the application; None where nobody logs in."""
        return None if self.site.gate.open else self.current_user

    def owns(self, session: Session) -> bool:
        """Whether the session is that of whoever asks, or anybody's."""
        gate = self.site.gate
        return gate.open or gate.owner(session.context.user) == gate.owner(self.current_user)

    def may_use(self, token: Token) -> bool:
        """Whether the token is that of whoever asks, or anybody's."""
        site = self.site
        return site.gate.open or token.owner is None or site.is_owner_mark(self.current_user, token.owner)

    def own(self, session: Session) -> Session:
        """The session, if it is that of whoever asks; HTTPError 403 otherwise."""
        if not self.owns(session):
            self.tell_log("%s: refused %s the session of another user", session.name, self.request.remote_ip)
            self.refusal = "owner"
            raise HTTPError(403, reason=_NOT_YOURS)
        return session

    @property
    def address(self) -> str:
        """Where the request comes from, as far as the proxies that are trusted say."""
        return self.request.remote_ip or ""

    def visible_request(self) -> VisibleRequest:
        """What of this request the application may see."""
        return self.site.visible_request(self.request)

    async def open_session(self) -> tuple[Session, str]:
        """The session that this request asks for, built if need be, and the token for its socket.

        Raises HTTPError 403 where the request may not have it, ApplicationError where the application fails.
        """
        text = self.get_argument("bokeh-token", None)
        named = [
            value
            for value in (self.get_argument("bokeh-session-id", None), self.request.headers.get("Bokeh-Session-Id"))
            if value is not None
        ]
        if len(named) + (text is not None) > 1:
            self.refusal = "token"
            raise HTTPError(403, reason="More than one session id or token was given")
        try:
            if text is not None:
                token = self.site.read_token(text)
                if self.runtime.registry.get(token.session_id) is None and not self.site.may_build(token):
                    raise PeerError("the token has expired")
                return await self.session_for(token), text
            session_id = self._session_id(named[0] if named else None)
        except PeerError as error:
            log.warning("%s: refused %s: %s", self.runtime.name, self.request.remote_ip, error)
            self.refusal = "token"
            raise HTTPError(403, reason="Invalid token or session ID") from None
        request = self.visible_request()
        expires_at = self.site.token_expiry_s()
        payload = {**self._payload(request), "session_expiry": expires_at}
        session = self.own(await self.runtime.session(session_id, request, payload, self.user, self.address))
        return session, self.site.mint_token(session_id, expires_at, payload, self.current_user)

    def _payload(self, request: VisibleRequest) -> dict[str, Any]:
        """What an application finds in its session's token_payload: the request, and what its hook makes of it."""
        if self.runtime.elsewhere:
            return request.payload()
        return {**request.payload(), **self.runtime.application.process_request(self.request)}

    def _session_id(self, given: str | None) -> str:
        site = self.site
        if given is None:
            if site.settings.session_ids == "external-signed":
                self.refusal = "token"
                raise HTTPError(403, reason="No bokeh-session-id provided")
            return site.mint_session_id()
        if not given or len(given) > 256 or not tokens.verify_session_id(site.signer, given):
            raise PeerError("the signature of a session id is wrong")
        return given

    async def session_for(self, token: Token) -> Session:
        """The session that a verified token names, built if it is not there.

        It is built from the request that travels in the token. A small token has none: then this request counts, for a
        browser's handshake repeats the headers, cookies and arguments of its page. Raises HTTPError 403 where token or
        session are another user's.
        """
        if not self.may_use(token):
            self.tell_log("%s: refused %s the token of another user", self.runtime.name, self.request.remote_ip)
            self.refusal = "owner"
            raise HTTPError(403, reason=_NOT_YOURS)
        living = self.runtime.registry.get(token.session_id)
        if living is not None:
            return self.own(living)
        request, payload = self.visible_request(), token.payload
        if token.carries_request:
            request = VisibleRequest.from_payload(payload, request)
        else:
            payload = {**self._payload(request), **payload}
        return self.own(await self.runtime.session(token.session_id, request, payload, self.user, self.address))

    def tell_full(self, full: Full) -> None:
        """Say in the log that this address gets no session now."""
        self.refusal = full.reason
        self.tell_log("%s: no session for %s: %s", self.runtime.name, self.address, full)

    def refuse_application(self, error: ApplicationError) -> None:
        """Answer that the application failed; with the traceback in development alone."""
        log.error("%s: %s", self.runtime.name, error, exc_info=error.__cause__ or error)
        self.set_status(500)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(self.site.failure_page(error))


class PageHandler(ApplicationHandler):
    """An application's page: a session of its own for whoever opens it."""

    shows_pages = True
    opens_sessions = True

    def answer_for_all(self, wards: Wards) -> bool:
        """Whether the request was answered with the page of every new session, which begins when its socket comes."""
        page = wards.page(self.runtime.url)
        site = self.site
        if page is None or site.draining or site.settings.session_ids == "external-signed" or self._names_a_session():
            return False
        try:
            self.runtime.admission.check(self.address)
        except Full as full:
            self.refuse_full(full)
            return True
        expires_at = site.token_expiry_s()
        payload = self.visible_request().payload()
        token = site.mint_token(site.mint_session_id(), expires_at, payload, self.current_user)
        self._page_headers()
        self.finish(token.encode("ascii").join(page))
        return True

    async def head(self, *captured: str) -> None:
        """Say that the page is there, without a session."""
        self._page_headers()
        self.finish()

    async def get(self, *captured: str) -> None:
        """The page of a new session, or of the one that is asked for."""
        if self.site.draining:
            self._refuse_for_now(2)
            return
        try:
            session, token = await self.open_session()
            html = self._render(session, token)
        except ApplicationError as error:
            self.refuse_application(error)
            return
        except Full as full:
            self.refuse_full(full)
            return
        self._page_headers()
        self.finish(html)

    def refuse_full(self, full: Full) -> None:
        """Answer with a page that asks again by itself."""
        self.tell_full(full)
        detail = f"{full.sentence}. This page tries again by itself."
        self._refuse_for_now(RETRY_AFTER_S, _TOO_MANY, detail)

    def _refuse_for_now(self, retry_after_s: int, *words: str) -> None:
        """Answer with a page that asks again by itself; a balancer may try another instance at once."""
        self.set_status(503)
        self.set_header("Retry-After", str(retry_after_s))
        self._page_headers()
        headline, detail = words or ("One moment, please", "")
        self.finish(busy_page(retry_after_s, headline=headline, detail=detail))

    def _render(self, session: Session, token: str) -> str | bytes:
        site = self.site
        if session.prepared is not None:
            return token.encode("ascii").join(session.prepared.page)
        try:
            with session.document.at_work():
                return self.runtime.guest.render_page(
                    session.document,
                    token,
                    site.bundles,
                    site.root_url,
                    app_path=site.socket_path(self.runtime.url),
                    head=site.page_head,
                )
        except AppServerError:
            raise
        except Exception as error:
            # Most likely the application's template: its line is in the traceback.
            raise self.runtime.application.error_from(error) from error

    def _page_headers(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        # The page carries a token, which is as good as the session itself.
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")


_ELEMENT_ID = re.compile(r"[A-Za-z0-9_:.-]{1,200}")
_APP_PATH = re.compile(r"/[A-Za-z0-9_.~%/@:+-]{0,500}")
_ABSOLUTE_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,260}(/[A-Za-z0-9_.~%/@:+-]{0,500})?")


class AutoloadHandler(ApplicationHandler):
    """The script that puts an application into somebody else's page."""

    opens_sessions = True

    async def prepare(self) -> None:
        """Let pages of allowed origins read the answer, then find out who asks."""
        self._let_read()
        await super().prepare()

    def _let_read(self) -> None:
        """Let pages of allowed origins read the answer; others are told nothing."""
        origin = self.request.headers.get("Origin")
        self.set_header("Vary", "Origin")
        if origin is not None and self.site.origins.allows(origin):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Credentials", "true")
            self.set_header("Access-Control-Allow-Headers", "Bokeh-Session-Id, Content-Type, Authorization")

    async def options(self, *captured: str) -> None:
        """Answer a browser that asks whether it may ask."""
        self.set_header("Access-Control-Allow-Methods", "GET, OPTIONS")
        requested = self.request.headers.get("Access-Control-Request-Headers")
        if requested and "Access-Control-Allow-Headers" in self._headers:
            self.set_header("Access-Control-Allow-Headers", requested)
        self.set_status(204)
        self.finish()

    async def get(self, *captured: str) -> None:
        """The script for the element that the address names."""
        element_id = self.get_argument("bokeh-autoload-element", "")
        if not element_id:
            raise HTTPError(400, reason="No bokeh-autoload-element query parameter")
        absolute_url = self.get_argument("bokeh-absolute-url", None)
        app_path = self.get_argument("bokeh-app-path", "/")
        # These are written into a script by a template of bokeh that does not escape them.
        if not _ELEMENT_ID.fullmatch(element_id) or not _APP_PATH.fullmatch(app_path):
            raise HTTPError(400, reason="Malformed bokeh-autoload-element or bokeh-app-path")
        if absolute_url is not None and not _ABSOLUTE_URL.fullmatch(absolute_url):
            raise HTTPError(400, reason="Malformed bokeh-absolute-url")
        origin = self.request.headers.get("Origin")
        if not self.site.origins.allows(origin):
            self.site.report_refused_origin(origin)
            self.refusal = "origin"
            raise HTTPError(403, reason="Pages of this origin may not embed the application")
        if self.site.draining:
            raise HTTPError(503, reason="The server is restarting")
        try:
            session, token = await self.open_session()
        except ApplicationError as error:
            self.refuse_application(error)
            return
        except Full as full:
            self.tell_full(full)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.refuse(503, _TOO_MANY, "Load the page again in a while.", detail=full.sentence)
            return
        site = self.site
        resources = self.get_argument("resources", "default") != "none"
        script = self.runtime.guest.render_autoload(
            session.document,
            token,
            element_id,
            site.bundles,
            self._root_of(absolute_url),
            resources=resources,
            app_path=site.routed(app_path),
            absolute_url=absolute_url,
        )
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(script)


    def _root_of(self, absolute_url: str | None) -> str:
        """Where the server's files are for a page that knows the application by this address."""
        if absolute_url is None:
            return self.site.root_url
        parts = urlsplit(absolute_url)
        # A proxy may serve us below a path that it takes away: what stands before the application's own is its.
        own = self.site.settings.prefix + self.runtime.url.rstrip("/")
        path = parts.path.rstrip("/")
        above = path.removesuffix(own) if path.endswith(own) else ""
        return f"{parts.scheme}://{parts.netloc}{above}{self.site.root_url}"

    def refuse(self, status: int, headline: str, hint: str | None = None, *, detail: str = "") -> None:
        """Answer with a script, for it is run as one whatever its status: it tells the page's console the reason."""
        self.set_status(status)
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        reason = ". ".join(part for part in (f"app-server: {headline}", detail, hint) if part)
        self.finish(f"console.error({json.dumps(reason)})\n")

    def refuse_application(self, error: ApplicationError) -> None:
        """Answer that the application failed; with the reason in development alone."""
        log.error("%s: %s", self.runtime.name, error, exc_info=error.__cause__ or error)
        hint = None if self.site.settings.dev else "Its operator finds the reason in the log."
        self.refuse(500, "The application failed to start", hint, detail=str(error) if hint is None else "")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As for every request, and readable for pages of allowed origins: Tornado has cleared the headers."""
        self._let_read()
        super().write_error(status_code, **kwargs)


class MetadataHandler(ApplicationHandler):
    """What an application says of itself, without a session."""

    async def get(self, *captured: str) -> None:
        """`{"url": …, "data": …}`."""
        data = self.runtime.application.metadata
        self.finish({"url": self.runtime.url, "data": data() if callable(data) else data})


class IndexHandler(Handler):
    """The server's root: the only application, or a list of them."""

    guarded = True
    shows_pages = True

    async def get(self, *captured: str) -> None:
        """A redirect where there is one application, else the index."""
        site = self.site
        if site.settings.disable_index:
            raise HTTPError(404)
        if len(site.runtimes) == 1 and not site.settings.disable_index_redirect:
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(site.settings.prefix + site.runtimes[0].url + query)
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(site.index_html())

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class FaviconHandler(Handler):
    """The server's icon."""

    async def get(self, *captured: str) -> None:
        """The icon, or 404 where it is switched off."""
        icon = self.site.favicon
        if icon is None:
            raise HTTPError(404)
        self.set_header("Content-Type", icon[0])
        self.set_header("Cache-Control", "public, max-age=86400")
        self.finish(icon[1])

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class HealthHandler(Handler):
    """Whether the process lives."""

    async def get(self, *captured: str) -> None:
        """200 as long as the loop answers."""
        self.set_header("Cache-Control", "no-store")
        if self.get_query_argument(doctor.TRICKLE, None) is not None and doctor.HEADER in self.request.headers:
            await self._trickle()
        self.finish({"status": "alive"})

    async def _trickle(self) -> None:
        """Begin the answer slowly, with what JSON may begin with, so that the doctor sees who collects it."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        for _ in range(doctor.TRICKLE_PARTS):
            self.write(b" " * 64)
            await self.flush()
            await asyncio.sleep(doctor.TRICKLE_PAUSE_S)

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class ReadyHandler(Handler):
    """Whether new pages are wanted here."""

    async def get(self, *captured: str) -> None:
        """200, or 503 while draining."""
        self.set_header("Cache-Control", "no-store")
        if self.site.draining:
            self.set_status(503)
        self.finish({"status": "draining" if self.site.draining else "ready"})

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class MissingHandler(Handler):
    """Whatever nobody answers."""

    def set_default_headers(self) -> None:
        """As for every answer; the doctor is told, too, whether it would be an application below another prefix."""
        super().set_default_headers()
        seen = Seen.read(self._headers.get(doctor.HEADER, ""))
        if seen is not None and hasattr(self, "site") and self._is_elsewhere():
            self.set_header(doctor.HEADER, replace(seen, place="elsewhere").answer())

    def _is_elsewhere(self) -> bool:
        path, prefix = self.request.path, self.site.settings.prefix
        below = path == prefix or path.startswith(f"{prefix}/")
        known = any(path.rstrip("/").endswith(runtime.url.rstrip("/")) for runtime in self.site.runtimes)
        return known or not below

    async def prepare(self) -> None:
        """404, whatever the method."""
        raise HTTPError(404)


