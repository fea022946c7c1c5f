"""Serves BokehJS's files and nothing else: a content delivery network of one's own."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from app_server.document.pages import embedding
from app_server.engine import containment
from app_server.http.accepting import raise_descriptor_limit
from app_server.http.listeners import Listening
from app_server.http.static import StaticFiles
from app_server.processes.signals import calling
from app_server.requests.server_handlers import FaviconHandler, HealthHandler, MissingHandler, ReadyHandler
from app_server.server.server import Server
from app_server.settings import Settings

log = logging.getLogger(__name__)


class SharedFiles(StaticFiles):
    """Files that pages of every origin may use, also as fonts, modules and with an integrity to check."""

    def set_default_headers(self) -> None:
        """Let everybody in: there is nothing here that is not public."""
        super().set_default_headers()
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.set_header("Timing-Allow-Origin", "*")


class StaticServer(Server):
    """The server without applications, index and sessions."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop, listening: Listening | None = None) -> None:
        super().__init__({}, settings, loop, listening)

    def routes(self) -> list[tuple[Any, ...]]:
        """BokehJS below static/, the health of the process, the icon that browsers ask for, and 404."""
        shared: list[tuple[Any, ...]] = []
        for pattern, handler, context in super().routes():
            if handler is StaticFiles and "roots" in context:
                shared.append((pattern, SharedFiles, context))
            elif handler in (HealthHandler, ReadyHandler, FaviconHandler, MissingHandler):
                shared.append((pattern, handler, context))
        return shared


def serve_static_until_stopped(settings: Settings) -> int:
    """Serve BokehJS until SIGINT or SIGTERM; the process's exit status."""
    raise_descriptor_limit()
    return containment.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    loop = asyncio.get_running_loop()
    server = StaticServer(settings, loop, Listening.bound(settings))
    stopped = asyncio.Event()
    with calling(loop, stopped.set):
        await server.start()
        where = f"on the Unix socket {settings.unix_socket}" if settings.unix_socket else f"at {server.url}static/"
        log.info("Serving BokehJS %s %s", embedding.versions()["bokeh"], where)
        await stopped.wait()
        await server.stop()
    return 0
