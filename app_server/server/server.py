"""The server: its applications behind their routes, its address, and its life from start to stop.

bind -> load hooks -> serve -> drain -> close the connections -> hooks of every session -> unload hooks
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from tornado.httputil import HTTPServerRequest
from tornado.web import Application as TornadoApplication

from app_server.apps import Application
from app_server.auth.backends import backend_for
from app_server.document import engine
from app_server.document.pages import embedding
from app_server.engine.loop_monitor import LoopMonitor
from app_server.errors import LONGEST_SHOWN, in_one_line
from app_server.http.base_handler import SELF_EVIDENT
from app_server.http.intake import Intake
from app_server.http.listeners import bind, tls_context, unlink
from app_server.http.static import precompress
from app_server.observe.gauges import Gauges
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from app_server.protocol.pace import Pace
from app_server.requests.socket_handoff import SharedHTTPServer
from app_server.requests.state import ServerState
from app_server.security.hostnames import bracketed
from app_server.server import metrics, metrics_reporter
from app_server.server.reload import LiveReload
from app_server.server.routes import routes_of
from app_server.server.stats_log import Reports
from app_server.settings import Settings

log = logging.getLogger(__name__)

SomeWorkerGroup = TypeVar("SomeWorkerGroup", bound=WorkerGroup)

_LOOK_S = 0.05
"""How often a server that drains looks whether its sessions have ended."""


_ANSWER_WITHIN_S = 2.0
"""How long a server that stops waits for the answers to requests that have come."""


class Server:
    """Serves applications by the settings, on one asyncio loop; all but `bind` belongs into that loop's thread."""

    def __init__(
        self,
        applications: Mapping[str, Application],
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        extra_patterns: Sequence[tuple[Any, ...]] = (),
    ) -> None:
        engine.install()
        self.settings = settings
        self.state = ServerState(applications, settings, backend_for(settings), loop)
        self._live_reload = LiveReload(self.state) if settings.dev else None
        if self._live_reload is not None:
            self.state.page_head = self._live_reload.script(settings.prefix)
            self.state.look_for_changes = self._live_reload.look
        self._background: list[asyncio.Task[None]] = []
        routes = self.routes()
        self._handlers = frozenset(rule[1] for rule in routes)
        self._application = TornadoApplication(
            [*extra_patterns, *routes], **_tornado_settings(settings, self.state.gauges)
        )
        self._http = SharedHTTPServer(
            self._application,
            xheaders=settings.use_xheaders,
            ssl_options=tls_context(settings),
            intake=Intake(
                Pace(settings.request_timeout_s, settings.idle_timeout_s),
                self.largest_body,
                self.state.gauges.answered,
            ),
        )
        self._sockets: list[socket.socket] = []
        self._socket_inode: int | None = None
        self._port = settings.port

    @property
    def port(self) -> int | None:
        """The port that is listened on, which the system chose where the settings say 0; None on a Unix socket."""
        return None if self.settings.unix_socket else self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the server."""
        scheme = "https" if self.settings.ssl_certfile else "http"
        host = self.settings.address or "localhost"
        if host in ("0.0.0.0", "::"):
            host = "localhost"
        return f"{scheme}://{bracketed(host)}:{self._port}{self.settings.prefix}/"

    def bind(self) -> None:
        """Listen. Raises OperatorError where the address cannot be had."""
        self._sockets = bind(self.settings)
        if self.settings.unix_socket:
            self._socket_inode = os.stat(self.settings.unix_socket).st_ino
        else:
            self._port = self._sockets[0].getsockname()[1]
        self.state.know_address(self._port)

    def share(self, sockets: Sequence[socket.socket]) -> None:
        """Listen on sockets that other processes listen on too, and that somebody else takes care of."""
        self._sockets = list(sockets)
        if not self.settings.unix_socket:
            self._port = self._sockets[0].getsockname()[1]
        self.state.know_address(self._port)

    def join(
        self,
        runtime_dir: RuntimeDir,
        slot: int,
        slots: int,
        kind: type[SomeWorkerGroup] = WorkerGroup,  # type: ignore[assignment]
    ) -> SomeWorkerGroup:
        """Become one of the processes of a server; from `start` on, they reach each other."""
        workers = self.state.workers = kind(runtime_dir, slot, slots, self.state.knows, self._http.arrive)
        workers.on_superseded = self._http.stop
        workers.answer("inherit", self._inherit)
        workers.answer(metrics.QUESTION, self._observe)
        workers.answer("room", self._room)
        workers.answer(metrics_reporter.QUESTION, self._take_tally)
        return workers

    def isolate(self, fork_servers: Mapping[str, int]) -> None:
        """Leave these routes' sessions to processes that are forked by whoever has these slots; comes after `join`."""
        assert self.state.workers is not None
        if fork_servers:
            self.state.session_processes = SessionProcesses(self.state.workers, dict(fork_servers))
        for runtime in self.state.runtimes:
            runtime.isolated = runtime.url in fork_servers

    async def _inherit(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self.state.inherited.add(map(str, fields["sessions"]))
        return {}

    async def _observe(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        path = self.settings.unix_socket
        return {**metrics.snapshot_of(self.state), "url": f"unix:{path}" if path else self.url}

    async def _take_tally(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self.state.child_metrics.take(fields)
        return {}

    async def _room(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"room": self.state.has_room}

    async def start(self) -> None:
        """Run the applications' load hooks, take connections, begin the background work; `bind` comes before."""
        for runtime in self.state.runtimes:
            await runtime.start()
        if self.state.workers is not None:
            await self.state.workers.open()
        self._http.add_sockets(self._sockets)
        if self.state.workers is None or self.state.workers.slot == 0:  # once is enough
            precompress(embedding.page_scripts())
        self.state.bundles.get(self.state.root_url)
        reports = Reports(self.state)
        self._background = [asyncio.create_task(work) for work in reports.work()]
        self._background.append(asyncio.create_task(self._keep_alive()))
        self._background.append(asyncio.create_task(self._http.watch()))
        self._background.append(
            asyncio.create_task(LoopMonitor(self.state.gauges.loop, self.settings.block_limit_s).run())
        )
        if self._live_reload is not None:
            self._background.append(asyncio.create_task(self._live_reload.watch()))

    async def start_alone(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to serve one session in this process, on this loop: its connections come with `arrive`."""
        for runtime in self.state.runtimes:
            runtime.loop = loop
            runtime.context.isolate()
            await runtime.start()
        self._background = [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._http.watch())]

    def arrive(self, message: Message, sock: socket.socket) -> None:
        """Answer on the connection that this letter brings, which `sock` has delivered."""
        self._http.arrive(message, sock)

    async def drain(self, patience_s: float) -> None:
        """Begin no more sessions; return when those that are there have ended, or when the time is up."""
        self.state.draining = True
        deadline_s = time.monotonic() + patience_s
        while self.state.session_count and time.monotonic() < deadline_s:
            await asyncio.sleep(_LOOK_S)
        if self.state.workers is not None:
            await self._tell_heirs(self.state.workers)

    async def _tell_heirs(self, workers: WorkerGroup) -> None:
        """Name the sessions that are left to the processes where their pages come back: their tokens may be old."""
        sessions = [session.id for runtime in self.state.runtimes for session in runtime.registry]
        for socket_path, inherited in workers.successors(sessions).items():
            try:
                await workers.ask(socket_path, {"question": "inherit", "sessions": inherited})
            except (Unreachable, TimeoutError):
                log.warning("The process that takes over could not be told of %d sessions", len(inherited))

    async def stop(self, close_code: int = 1001) -> None:
        """Make no more sessions, say goodbye to every client, run every hook; others are told to come back."""
        self.state.draining = True
        for task in self._background:
            task.cancel()
        if self._live_reload is not None:
            self._live_reload.stop()
        self._http.stop()
        await self._answers_given()
        for runtime in self.state.runtimes:
            await runtime.stop(close_code)
        await self._clients_gone()
        if self.state.workers is not None:
            await self.state.workers.close()
            await self._answers_given()
        await self._http.close_all_connections()
        self.state.auth.stop()
        if self.state.session_processes is not None:
            self.state.session_processes.close()
        if self._socket_inode is not None:
            unlink(self.settings.unix_socket, self._socket_inode)

    def largest_body(self, request: HTTPServerRequest) -> int | None:
        """How large this request's body may be, in bytes; None for the handlers that a program has added to ours."""
        handler = getattr(self._application.find_handler(request), "handler_class", None)
        largest: int | None = getattr(handler, "max_body_bytes", None)
        return _FORM_OF_HOOKS_BYTES if largest is None and handler in self._handlers else largest

    def also_log(self, tell: Callable[[Any], None]) -> None:
        """Have `tell` called with the handler of each request that was answered."""
        settings = self._application.settings
        own = settings["log_function"]

        def both(handler: Any) -> None:
            own(handler)
            tell(handler)

        settings["log_function"] = both

    def routes(self) -> list[tuple[Any, ...]]:
        """The handlers of the server and its applications, for Tornado."""
        return routes_of(self.state, self._live_reload)

    def unlisten(self) -> None:
        """Take no more connections; those that are there go on."""
        self._http.stop()

    async def _answers_given(self) -> None:
        """Wait until the requests that have come are answered, those of connections that were just accepted too."""
        deadline_s = time.monotonic() + _ANSWER_WITHIN_S
        await asyncio.sleep(_LOOK_S)
        while time.monotonic() < deadline_s and any(handler.awaited for handler in self.state.under_way):
            await asyncio.sleep(_LOOK_S)

    async def _clients_gone(self) -> None:
        """Wait until the Close frames are answered; a wire cuts the connection itself when that takes too long."""
        while self.state.wires:
            await asyncio.sleep(0.01)

    async def _keep_alive(self) -> None:
        """Ping every client, and end the connections of those that take nothing, or are silent, for two rounds."""
        interval_s = self.settings.keep_alive_ms / 1000
        while interval_s > 0:
            await asyncio.sleep(interval_s)
            for wire in list(self.state.wires):
                if not wire.has_gone(2 * interval_s + 1):
                    wire.ping()
                elif wire.queued_bytes:
                    wire.give_up(wire.queued_bytes, "stopped reading")
                else:
                    wire.abort(1006, "no sign of life")


_FORM_OF_HOOKS_BYTES = 1024 * 1024
"""What a handler of --auth-module may get: it knows itself what it asks for, but anybody can send to it."""


def _tornado_settings(settings: Settings, gauges: Gauges) -> dict[str, Any]:
    return {
        "cookie_secret": settings.cookie_secret,
        "xsrf_cookies": settings.enable_xsrf_cookies,
        "log_function": partial(_log_request, gauges),
    }


def _log_request(gauges: Gauges, handler: Any) -> None:
    """One line for each answer; neither query strings nor subprotocols, which carry tokens."""
    request = handler.request
    status = handler.get_status()
    gauges.answered(status)
    told = getattr(handler, "told", False)
    level = logging.DEBUG if status < 400 or told else logging.WARNING if status < 500 else logging.ERROR
    because = getattr(handler, "refused_because", "")
    asked = in_one_line(f"{request.method} {request.path}", LONGEST_SHOWN)
    log.log(
        level, "%d %s (%s) %.1f ms%s", status, asked, request.remote_ip,
        1000 * request.request_time(), f": {because}" if because and status not in SELF_EVIDENT else "",
    )  # fmt: skip
