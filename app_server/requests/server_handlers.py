"""What the server answers itself: the index, the icon, its health, and 404."""

from __future__ import annotations

import asyncio
import logging

from tornado.web import HTTPError

from app_server.errors import OperatorError
from app_server.http.doctor_header import add_for_doctor
from app_server.page import ASK_OPERATOR, NO_APPLICATION
from app_server.protocol import doctor
from app_server.protocol.paths import above
from app_server.requests.application_handler import ApplicationHandler
from app_server.requests.handler import Handler

log = logging.getLogger(__name__)


class MetadataHandler(ApplicationHandler):
    """The metadata of an application, without a session."""

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
        """A redirect if there is one application, else the index."""
        state = self.state
        if state.settings.disable_index:
            raise HTTPError(404)
        # No link leads to an application whose address has placeholders.
        linked = [each for each in state.runtimes if each.url_pattern is None]
        if not linked and state.runtimes:
            raise HTTPError(404)
        if len(state.runtimes) == 1 and not state.settings.disable_index_redirect:
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(state.settings.prefix + state.runtimes[0].url + query)
            return
        policy = state.policy
        open_to = [each for each in linked if await policy.may_open(self.current_user, each.url)]
        if not open_to and state.runtimes:
            self.refuse_access(NO_APPLICATION)
            return
        try:
            html = state.pages.index_html(self.get_template_namespace(), open_to)
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
        """The icon, or 404 if there is none."""
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
    """Whether the process is alive."""

    async def get(self, *captured: str) -> None:
        """200 as long as the loop answers."""
        self.forbid_caching()
        if self.get_query_argument(doctor.TRICKLE, None) is not None and doctor.HEADER in self.request.headers:
            await self._trickle()
        self.finish({"status": "alive"})

    async def _trickle(self) -> None:
        """Begin the answer slowly, with what JSON may begin with, so the doctor sees who collects it."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        for _ in range(doctor.TRICKLE_PARTS):
            self.write(b" " * 64)
            await self.flush()
            await asyncio.sleep(doctor.TRICKLE_PAUSE_S)

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class ReadyHandler(Handler):
    """Whether the server takes new sessions."""

    async def get(self, *captured: str) -> None:
        """200, or 503 while draining."""
        self.forbid_caching()
        if self.state.process.draining:
            self.set_status(503)
        self.finish({"status": "draining" if self.state.process.draining else "ready"})

    async def head(self, *captured: str) -> None:
        """As for GET, without the body."""
        await self.get(*captured)


class MissingHandler(Handler):
    """Any path that nothing else answers."""

    def set_default_headers(self) -> None:
        """As for every answer; the doctor also learns whether an application would be there below another prefix."""
        super().set_default_headers()
        if doctor.HEADER in self._headers and hasattr(self, "state") and self._is_misplaced():
            add_for_doctor(self, place="elsewhere")

    def _is_misplaced(self) -> bool:
        path, prefix = self.request.path, self.state.settings.prefix
        below = path == prefix or path.startswith(f"{prefix}/")
        known = any(above(path, runtime.url) is not None for runtime in self.state.runtimes)
        return known or not below

    async def prepare(self) -> None:
        """404, whatever the method."""
        self.name_request()
        raise HTTPError(404)
