"""The server: its applications behind their routes, its address, and its life from start to stop.

    bind -> load hooks -> serve -> (a signal) drain -> close the connections -> hooks of every session -> unload hooks
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import ssl
import threading
import time
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application as TornadoApplication

from app_server.apps import Application, broken_application, empty_application, load_application, route_for
from app_server.document import embedding, engine
from app_server.errors import ApplicationError, OperatorError
from app_server.settings import Settings
from app_server.transport.auth import gate_for
from app_server.transport.reload import LiveReload
from app_server.transport.reports import Reports
from app_server.transport.routes import routes_of
from app_server.transport.site import Site
from app_server.transport.static import precompress

log = logging.getLogger(__name__)

_LAST_THREADS_S = 2.0
"""How long the applications' threads have to end when everything else has."""


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
        self.site = Site(applications, settings, gate_for(settings), loop)
        self._live_reload = LiveReload(self.site) if settings.dev else None
        if self._live_reload is not None:
            self.site.page_head = self._live_reload.script(settings.prefix)
        self._background: list[asyncio.Task[None]] = []
        self._http = HTTPServer(
            TornadoApplication([*extra_patterns, *self.routes()], **_tornado_settings(settings)),
            xheaders=settings.use_xheaders,
            ssl_options=_tls_context(settings),
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
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{self._port}{self.settings.prefix}/"

    def bind(self) -> None:
        """Listen. Raises OperatorError where the address cannot be had."""
        self._sockets = _bind(self.settings)
        if self.settings.unix_socket:
            self._socket_inode = os.stat(self.settings.unix_socket).st_ino
        else:
            self._port = self._sockets[0].getsockname()[1]
        self.site.know_address(self._port)

    async def start(self) -> None:
        """Run the applications' load hooks, take connections, begin the background work; `bind` comes before."""
        for runtime in self.site.runtimes:
            await runtime.start()
        self._http.add_sockets(self._sockets)
        precompress(embedding.page_scripts())
        self.site.bundles.get(self.site.root_url)
        reports = Reports(self.site)
        self._background = [asyncio.create_task(work) for work in reports.work()]
        self._background.append(asyncio.create_task(self._keep_alive()))
        if self._live_reload is not None:
            self._background.append(asyncio.create_task(self._live_reload.watch()))

    async def stop(self, close_code: int = 1001) -> None:
        """Make no more sessions, say goodbye to every client, run every hook; others are told to come back."""
        self.site.draining = True
        for task in self._background:
            task.cancel()
        if self._live_reload is not None:
            self._live_reload.stop()
        for runtime in self.site.runtimes:
            await runtime.stop(close_code)
        await self._clients_gone()
        self._http.stop()
        await self._http.close_all_connections()
        self.site.gate.stop()
        if self._socket_inode is not None:
            _unlink(self.settings.unix_socket, self._socket_inode)

    def routes(self) -> list[tuple[Any, ...]]:
        """The handlers of the server and its applications, for Tornado."""
        return routes_of(self.site, self._live_reload)

    def unlisten(self) -> None:
        """Take no more connections; those that are there go on."""
        self._http.stop()

    async def _clients_gone(self) -> None:
        """Wait until the Close frames are answered; a wire cuts the connection itself when that takes too long."""
        while self.site.wires:
            await asyncio.sleep(0.01)

    async def _keep_alive(self) -> None:
        """Ping every client, and end the connections of those that gave no sign of life for two rounds."""
        interval_s = self.settings.keep_alive_ms / 1000
        while interval_s > 0:
            await asyncio.sleep(interval_s)
            now_s = time.monotonic()
            for wire in list(self.site.wires):
                if now_s - wire.last_heard_s > 2 * interval_s + 1:
                    wire.abort(1006, "no sign of life")
                else:
                    wire.ping()

def _tornado_settings(settings: Settings) -> dict[str, Any]:
    return {
        "cookie_secret": settings.cookie_secret,
        "xsrf_cookies": settings.enable_xsrf_cookies,
        "log_function": _log_request,
    }


def _log_request(handler: Any) -> None:
    """One line for each answer; neither query strings nor subprotocols, which carry tokens."""
    request = handler.request
    status = handler.get_status()
    told = getattr(handler, "told", False)
    level = logging.DEBUG if status < 400 or told else logging.WARNING if status < 500 else logging.ERROR
    log.log(
        level, "%d %s %s (%s) %.1f ms", status, request.method, request.path, request.remote_ip,
        1000 * request.request_time(),
    )  # fmt: skip


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.ssl_certfile:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Mozilla's guideline 6.0, "intermediate"
    try:
        # Without a password OpenSSL would ask for one on the terminal, and wait there.
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password=settings.ssl_password or "")
    except ssl.SSLError as error:
        raise OperatorError(
            f"the certificate or its key cannot be used: {error.reason or error}",
            where=settings.ssl_keyfile or settings.ssl_certfile,
            hint="Check that they belong together, and BOKEH_SSL_PASSWORD if the key has a password.",
        ) from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=settings.ssl_certfile) from None
    return context


def _refuse_taken(path: str) -> None:
    """Raise OperatorError where another server listens on this Unix socket; a file that was left over is none."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    hint = "Stop what listens there, or choose another --unix-socket."
    raise OperatorError(f"{path} is in use", where="--unix-socket", hint=hint)


def _unlink(path: str | None, inode: int) -> None:
    """Remove the Unix socket that was ours, unless somebody else has put another one in its place."""
    try:
        if path is not None and os.stat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        return


def _bind(settings: Settings) -> list[socket.socket]:
    try:
        if settings.unix_socket:
            _refuse_taken(settings.unix_socket)
            return [bind_unix_socket(settings.unix_socket, mode=0o666)]
        return bind_sockets(settings.port, settings.address or None, backlog=1024)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            hint = "Stop what listens there, or choose another --port."
            raise OperatorError(f"port {settings.port} is in use", where="--port", hint=hint) from None
        if number == errno.EACCES:
            where = "--unix-socket" if settings.unix_socket else "--port"
            hint = "Ports below 1024 are root's."
            raise OperatorError("no permission to listen there", where=where, hint=hint) from None
        reason = getattr(error, "strerror", None) or str(error)
        where = "--unix-socket" if settings.unix_socket else "--address"
        raise OperatorError(f"cannot listen there: {reason}", where=where) from None


def load_applications(paths: Sequence[str], settings: Settings) -> dict[str, Application]:
    """The applications of these paths by their routes. Raises OperatorError or ApplicationError."""
    if not paths:
        return {"/": empty_application()}
    applications: dict[str, Application] = {}
    for path in paths:
        application = _load_application(path, settings)
        if application.route in applications:
            raise OperatorError(f"two applications would be served at {application.route}", where=path)
        applications[application.route] = application
    return applications


def _load_application(path: str, settings: Settings) -> Application:
    """The application of this path; in development, one that does not load is served all the same, with the reason."""
    try:
        application = load_application(path, settings.args, dev=settings.dev)
        application.prepare()
        return application
    except ApplicationError as error:
        if not settings.dev:
            raise
        log.error("%s", error)
        return broken_application(route_for(path), Path(path).absolute(), error, [Path(path).absolute()])


def serve_until_stopped(settings: Settings, paths: Sequence[str]) -> int:
    """Serve these applications until a signal; the process's exit status."""
    engine.install()
    applications = load_applications(paths, settings)
    return asyncio.run(_serve(applications, settings))


async def _serve(applications: Mapping[str, Application], settings: Settings) -> int:
    server = Server(applications, settings, asyncio.get_running_loop())
    server.bind()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopped.is_set():
            log.warning("A second signal: stopping at once")
            os._exit(1)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await server.start()
    # What is there now stays: the collector need not look at it for every generation that sessions leave behind.
    gc.collect()
    gc.freeze()
    _announce(server)
    await stopped.wait()
    sessions = sum(len(runtime.registry) for runtime in server.site.runtimes)
    log.info("Stopping: %d sessions, %d connections", sessions, len(server.site.wires))
    try:
        async with asyncio.timeout(settings.drain_deadline_s):
            await server.stop()
    except TimeoutError:
        log.error("Not everything ended within %g s; stopping all the same", settings.drain_deadline_s)
    # The interpreter waits for the threads of applications, and some run for ever: they must not keep the process.
    watchdog = threading.Timer(_LAST_THREADS_S, os._exit, (0,))
    watchdog.daemon = True
    watchdog.start()
    return 0


def _announce(server: Server) -> None:
    settings = server.settings
    if settings.unix_socket:
        log.info("Serving on the Unix socket %s", settings.unix_socket)
        return
    for runtime in server.site.runtimes:
        log.info("Serving %s", server.url.rstrip("/") + runtime.url)
    if settings.show:
        for runtime in server.site.runtimes if len(server.site.runtimes) == 1 else server.site.runtimes[:0]:
            webbrowser.open(server.url.rstrip("/") + runtime.url, new=2)
        if len(server.site.runtimes) > 1:
            webbrowser.open(server.url, new=2)


