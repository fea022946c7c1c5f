"""The script that puts an application into a page of another site."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError

from app_server.errors import ApplicationError
from app_server.page import ASK_OPERATOR
from app_server.protocol.paths import above
from app_server.requests.application_handler import ApplicationHandler
from app_server.security.admission import Full
from app_server.session.session import Session

log = logging.getLogger(__name__)

_ELEMENT_ID = re.compile(r"[A-Za-z0-9_:.-]{1,200}")
_APP_PATH = re.compile(r"/[A-Za-z0-9_.~%/@:+-]{0,500}")
_ABSOLUTE_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,260}(/[A-Za-z0-9_.~%/@:+-]{0,500})?")


def _is_absolute(url: str) -> bool:
    """Whether this may be the address of an application on some server."""
    try:
        return _ABSOLUTE_URL.fullmatch(url) is not None and bool(urlsplit(url).netloc)
    except ValueError:  # brackets around something else than an IPv6 address
        return False


class AutoloadHandler(ApplicationHandler):
    """The script that puts an application into a page of another site."""

    opens_sessions = True
    socket_repeats_arguments = False  # it has those of the page around it

    async def prepare(self) -> None:
        """Let pages of allowed origins read the answer, then find out who sends the request."""
        self._let_read()
        await super().prepare()

    def _let_read(self) -> None:
        """Let pages of allowed origins read the answer; others learn nothing."""
        origin = self.request.headers.get("Origin")
        self.set_header("Vary", "Origin")
        if origin is not None and self.state.policy.origins.allows(origin, self.request.host):
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
        if not self.state.policy.origins.allows(origin, self.request.host):
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
            self.set_header("Retry-After", str(full.retry_after_s))
            self.refuse(503, full.headline, "Load the page again in a while.", detail=full.sentence)
            return
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.forbid_caching()
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
        # A proxy may serve us below a path that it takes away: that path is what precedes the application's own.
        own = self.state.settings.prefix + self.url.rstrip("/")
        return f"{parts.scheme}://{parts.netloc}{above(parts.path, own) or ''}{self.state.pages.root_url}"

    def refuse(self, status: int, headline: str, hint: str | None = None, *, detail: str = "") -> None:
        """Answer with a script that writes the reason to the console: browsers run it whatever its status."""
        self.refused_because = headline
        self.set_status(status)
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.forbid_caching()
        reason = ". ".join(part for part in (f"app-server: {headline}", detail, hint) if part)
        self.finish(f"console.error({json.dumps(reason)})\n")

    def refuse_application(self, error: ApplicationError) -> None:
        """Answer that the application failed; the script has the reason in development only."""
        log.error("%s: %s", self.runtime.name, error, exc_info=error.__cause__ or error)
        hint = None if self.state.settings.dev else ASK_OPERATOR
        detail = str(error) if hint is None else error.shown
        self.refuse(500, "The application failed to start", hint, detail=detail)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As for every request, and readable for pages of allowed origins: Tornado has cleared the headers."""
        self._let_read()
        super().write_error(status_code, **kwargs)
