"""The HTTP requests that are answered: each is a few decisions of the rooms below, in order."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError

from app_server.errors import ApplicationError, OperatorError
from app_server.http.doctor_header import add_for_doctor
from app_server.page import ASK_OPERATOR, busy_page
from app_server.processes.session_processes import SessionProcesses
from app_server.protocol import doctor
from app_server.protocol.paths import above
from app_server.requests.application_handler import ApplicationHandler, Handler
from app_server.security.admission import RETRY_AFTER_S, Full
from app_server.session.session import Session
from app_server.settings import EXTERNAL_IDS

log = logging.getLogger(__name__)

_TOO_MANY = "Too many visitors at the moment"


class PageHandler(ApplicationHandler):
    """An application's page: a session of its own for whoever opens it."""

    shows_pages = True
    opens_sessions = True

    def answer_for_all(self, session_processes: SessionProcesses) -> bool:
        """Whether the request was answered with the page of every new session, which begins when its socket comes."""
        if self.runtime.application.placeholder is not None:
            return False
        page = session_processes.page(self.runtime.url)
        state = self.state
        if (
            page is None
            or state.process.draining
            or state.settings.session_ids in EXTERNAL_IDS
            or self._names_a_session()
        ):
            return False
        try:
            self.runtime.admission.check(self.address)
        except Full as full:
            self.refuse_full(full)
            return True
        expires_at = state.policy.token_expiry_s()
        payload = self.visible_request().payload()
        token = state.policy.mint_token(state.mint_session_id(), expires_at, payload, self.current_user)
        self._page_headers()
        self.finish(token.encode("ascii").join(page))
        return True

    async def head(self, *captured: str) -> None:
        """Say that the page is there, without a session."""
        self._page_headers()
        self.finish()

    async def get(self, *captured: str) -> None:
        """The page of a new session, or of the one that is asked for."""
        if self.state.process.draining:
            self._refuse_for_now(2)
            return
        try:
            session, token = await self.open_session()
            placeholder = self.runtime.application.placeholder
            if placeholder is not None and not self._names_a_session():
                session.document.template = placeholder  # type: ignore[assignment]  # a text is as good
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
        self.log_full(full)
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
        state, placeholder = self.state, self.runtime.application.placeholder
        if session.prepared is not None and session.prepared.page and placeholder is None:
            return token.encode("ascii").join(session.prepared.page)
        with self.blamed(), session.document.at_work():
            page = self.runtime.guest.render_page(
                session.document,
                token,
                state.pages.bundles,
                state.pages.root_url,
                app_path=state.policy.socket_path(self.runtime.url),
                head=state.pages.head,
            )
        self.rendered(session)
        return page

    def _page_headers(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        # The page carries a token, which is as good as the session itself.
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")


_ELEMENT_ID = re.compile(r"[A-Za-z0-9_:.-]{1,200}")
_APP_PATH = re.compile(r"/[A-Za-z0-9_.~%/@:+-]{0,500}")
_ABSOLUTE_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,260}(/[A-Za-z0-9_.~%/@:+-]{0,500})?")


def _is_absolute(url: str) -> bool:
    """Whether this may be the address of an application on some server."""
    try:
        return _ABSOLUTE_URL.fullmatch(url) is not None and bool(urlsplit(url).netloc)
    except ValueError:  # brackets that are no IPv6 address's
        return False


class AutoloadHandler(ApplicationHandler):
    """The script that puts an application into somebody else's page."""

    opens_sessions = True
    socket_repeats_arguments = False  # it has those of the page around it

    async def prepare(self) -> None:
        """Let pages of allowed origins read the answer, then find out who asks."""
        self._let_read()
        await super().prepare()

    def _let_read(self) -> None:
        """Let pages of allowed origins read the answer; others are told nothing."""
        origin = self.request.headers.get("Origin")
        self.set_header("Vary", "Origin")
        if origin is not None and self.state.policy.origins.allows(origin):
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
        if absolute_url is not None and not _is_absolute(absolute_url):
            raise HTTPError(400, reason="Malformed bokeh-absolute-url")
        origin = self.request.headers.get("Origin")
        if not self.state.policy.origins.allows(origin):
            self.state.process.report_refused_origin(origin)
            self.refusal = "origin"
            raise HTTPError(403, reason="Pages of this origin may not embed the application")
        if self.state.process.draining:
            raise HTTPError(503, reason="The server is restarting")
        try:
            session, token = await self.open_session()
            script = self._render(session, token, element_id, app_path, absolute_url)
        except ApplicationError as error:
            self.refuse_application(error)
            return
        except Full as full:
            self.log_full(full)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.refuse(503, _TOO_MANY, "Load the page again in a while.", detail=full.sentence)
            return
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(script)

    def _render(
        self, session: Session, token: str, element_id: str, app_path: str, absolute_url: str | None
    ) -> str | bytes:
        state = self.state
        with self.blamed(), session.document.at_work():
            script = self.runtime.guest.render_autoload(
                session.document,
                token,
                element_id,
                state.pages.bundles,
                self._root_of(absolute_url),
                resources=self.get_argument("resources", "default") != "none",
                app_path=state.policy.routed(app_path),
                absolute_url=absolute_url,
            )
        self.rendered(session)
        return script

    def _root_of(self, absolute_url: str | None) -> str:
        """Where the server's files are for a page that knows the application by this address."""
        if absolute_url is None:
            return self.state.pages.root_url
        parts = urlsplit(absolute_url)
        # A proxy may serve us below a path that it takes away: what stands before the application's own is its.
        own = self.state.settings.prefix + self.runtime.url.rstrip("/")
        return f"{parts.scheme}://{parts.netloc}{above(parts.path, own) or ''}{self.state.pages.root_url}"

    def refuse(self, status: int, headline: str, hint: str | None = None, *, detail: str = "") -> None:
        """Answer with a script, for it is run as one whatever its status: it tells the page's console the reason."""
        self.refused_because = headline
        self.set_status(status)
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        reason = ". ".join(part for part in (f"app-server: {headline}", detail, hint) if part)
        self.finish(f"console.error({json.dumps(reason)})\n")

    def refuse_application(self, error: ApplicationError) -> None:
        """Answer that the application failed; with the reason in development alone."""
        log.error("%s: %s", self.runtime.name, error, exc_info=error.__cause__ or error)
        hint = None if self.state.settings.dev else ASK_OPERATOR
        detail = str(error) if hint is None else error.shown
        self.refuse(500, "The application failed to start", hint, detail=detail)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As for every request, and readable for pages of allowed origins: Tornado has cleared the headers."""
        self._let_read()
        super().write_error(status_code, **kwargs)


class MetadataHandler(ApplicationHandler):
    """What an application says of itself, without a session."""

    async def get(self, *captured: str) -> None:
        """`{"url": …, "data": …}`; the data of an application that has none are `{}`."""
        data = self.runtime.application.metadata
        with self.blamed():
            found = data() if callable(data) else data
        self.finish({"url": self.runtime.url, "data": {} if found is None else found})


class IndexHandler(Handler):
    """The server's root: the only application, or a list of them."""

    guarded = True
    shows_pages = True

    async def get(self, *captured: str) -> None:
        """A redirect where there is one application, else the index."""
        state = self.state
        if state.settings.disable_index:
            raise HTTPError(404)
        if len(state.runtimes) == 1 and not state.settings.disable_index_redirect:
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(state.settings.prefix + state.runtimes[0].url + query)
            return
        try:
            html = state.pages.index_html(self.get_template_namespace())
        except OperatorError as error:
            log.error("%s", error)
            self.refuse(500, "The index page failed", ASK_OPERATOR)
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(html)

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class FaviconHandler(Handler):
    """The server's icon."""

    async def get(self, *captured: str) -> None:
        """The icon, or 404 where it is switched off."""
        icon = self.state.pages.favicon
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
        if self.state.process.draining:
            self.set_status(503)
        self.finish({"status": "draining" if self.state.process.draining else "ready"})

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class MissingHandler(Handler):
    """Whatever nobody answers."""

    def set_default_headers(self) -> None:
        """As for every answer; the doctor is told, too, whether it would be an application below another prefix."""
        super().set_default_headers()
        if doctor.HEADER in self._headers and hasattr(self, "state") and self._is_elsewhere():
            add_for_doctor(self, place="elsewhere")

    def _is_elsewhere(self) -> bool:
        path, prefix = self.request.path, self.state.settings.prefix
        below = path == prefix or path.startswith(f"{prefix}/")
        known = any(above(path, runtime.url) is not None for runtime in self.state.runtimes)
        return known or not below

    async def prepare(self) -> None:
        """404, whatever the method."""
        raise HTTPError(404)
