"""The server that shows the console: one application, its login, and what other consoles ask."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tornado.web import HTTPError

from app_server.auth.password import PasswordBackend
from app_server.console.application import console_application
from app_server.http.base_handler import BaseHandler
from app_server.http.listeners import Listening
from app_server.http.matching import RouteAddress, names_of
from app_server.requests.page_handler import PageHandler
from app_server.security.console_peers import PeerSignatures
from app_server.server.console.feed import Feed
from app_server.server.console.local_auth import LocalOperators
from app_server.server.console.own_instance import OwnInstance
from app_server.server.console.peer_api import ADDRESS, PeerHandler
from app_server.server.server import Server
from app_server.settings import Settings


class ConsolePageHandler(PageHandler):
    """The console's page, which no other page may show in a frame: a click in it does something."""

    def set_default_headers(self) -> None:
        """As for every answer."""
        super().set_default_headers()
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.set_header("Referrer-Policy", "same-origin")

    async def prepare(self) -> None:
        """Refuse what another site's page loads: it cannot read the page, but too many pages would leave none."""
        asked = self.request.headers
        elsewhere = asked.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if elsewhere and asked.get("Sec-Fetch-Dest") != "document":
            self.name_request()
            self.refusal = "origin"
            self.log_refusal("Another site tried to load the console at %s", self.address)
            self.refuse(403, "Pages of other sites cannot load the console", "Open its address yourself.")
            return
        await super().prepare()


class NoEmbedding(BaseHandler):
    """Other sites' pages get no console."""

    def prepare(self) -> None:
        """Answer as if there was nothing."""
        raise HTTPError(404)


class ConsoleServer(Server):
    """Serves the console; `keys` are those by which other instances are known."""

    def __init__(
        self, settings: Settings, loop: asyncio.AbstractEventLoop, listening: Listening, own: OwnInstance, feed: Feed,
        keys: tuple[bytes, ...],
    ) -> None:  # fmt: skip
        self._peer_context = {"own": own, "signatures": PeerSignatures(keys, time.time)}
        auth = PasswordBackend(settings, "console") if settings.basic_auth else LocalOperators()
        super().__init__({"/": console_application(feed)}, settings, loop, listening, auth=auth)

    def routes(self) -> list[tuple[Any, ...]]:
        """As for every server, with a stricter page, and without pages for other sites."""
        base = names_of(self.settings.prefix)

        def below(path: str, **options: bool) -> RouteAddress:
            return RouteAddress(names_of(path), base, routed=True, **options)

        (runtime,) = self.state.runtimes
        page = {"state": self.state, "runtime": runtime, "session_processes": None}
        return [
            (below(ADDRESS), PeerHandler, self._peer_context),
            (below("/autoload.js"), NoEmbedding),
            (below("/metadata"), NoEmbedding),
            (below("/", slash=True), ConsolePageHandler, page),
            *super().routes(),
        ]
