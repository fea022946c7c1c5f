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
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application as TornadoApplication

from app_server.apps import Application, broken_application, empty_application, load_application, route_for
from app_server.document import embedding, engine
from app_server.errors import ApplicationError, OperatorError
from app_server.page import IndexEntry, custom_index_page, error_page, favicon, index_page
from app_server.security import tokens
from app_server.security.origins import OriginPolicy
from app_server.security.tokens import Signer, Token
from app_server.security.visible_request import RequestFilter, VisibleRequest
from app_server.session.session import Limits
from app_server.settings import Settings
from app_server.transport.auth import gate_for
from app_server.transport.connection import Client, SocketHandler
from app_server.transport.handlers import (
    AutoloadHandler,
    FaviconHandler,
    HealthHandler,
    IndexHandler,
    MetadataHandler,
    MissingHandler,
    PageHandler,
    ReadyHandler,
)
from app_server.transport.reload import LiveReload
from app_server.transport.reports import Reports
from app_server.transport.runtime import ApplicationRuntime, Lifetimes
from app_server.transport.static import FoundFiles, StaticFiles, precompress, version_of
from app_server.transport.wire import WireLimits

log = logging.getLogger(__name__)

_ROUTE = r"(?:/_i/[A-Za-z0-9_-]{1,32})?"
"""Every server accepts every instance's route: after a failover a foreign one arrives."""

_LAST_THREADS_S = 2.0
"""How long the applications' threads have to end when everything else has."""

_QUEUE_BYTES = 64 * 1024 * 1024
"""How much may wait for one client. A page that is asleep wakes within seconds; more than this is never taken."""


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
        self.draining = False
        self.clients: set[Client] = set()
        self.signer = _signer(settings)
        self.wire_limits = WireLimits(settings.websocket_max_message_size_bytes, _QUEUE_BYTES)
        self.bundles = embedding.Bundles(lambda path: version_of(embedding.static_root() / path))
        self.root_url = f"{settings.prefix}/"
        self.favicon = _favicon(settings)
        self.gate = gate_for(settings)
        self._small_tokens = settings.token_payload == "never" or (
            settings.token_payload == "auto" and settings.route is None
        )
        self._filter = RequestFilter(
            include_headers=settings.include_headers,
            exclude_headers=settings.exclude_headers,
            include_cookies=settings.include_cookies,
            exclude_cookies=settings.exclude_cookies,
            hidden_headers=self.gate.hidden_headers,
            hidden_cookies=self.gate.hidden_cookies,
        )
        limits = Limits(settings.websocket_max_message_size_bytes, show_tracebacks=settings.dev)
        lifetimes = Lifetimes(settings.unused_session_lifetime_ms / 1000, settings.check_unused_sessions_ms / 1000)
        self.runtimes = [
            ApplicationRuntime(application, route, limits, lifetimes, loop)
            for route, application in applications.items()
        ]
        for runtime in self.runtimes:
            runtime.logout_url = self.gate.logout_url
            if runtime.url in self.gate.taken_paths():
                hint = "Give the application another name."
                raise OperatorError("the server's own page is at that address", where=runtime.url, hint=hint)
        self.live_reload = LiveReload(self) if settings.dev else None
        self.page_head = "" if self.live_reload is None else self.live_reload.script(settings.prefix)
        self._refused_origins: set[str] = set()
        self._background: list[asyncio.Task[None]] = []
        self._http = HTTPServer(
            TornadoApplication([*extra_patterns, *self.routes()], **_tornado_settings(settings)),
            xheaders=settings.use_xheaders,
            ssl_options=_tls_context(settings),
        )
        self._sockets: list[socket.socket] = []
        self._port = settings.port
        self.origins = OriginPolicy.from_hosts(("*",))

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
        if not self.settings.unix_socket:
            self._port = self._sockets[0].getsockname()[1]
        self.origins = self._origin_policy()

    async def start(self) -> None:
        """Run the applications' load hooks, take connections, begin the background work; `bind` comes before."""
        for runtime in self.runtimes:
            await runtime.start()
        self._http.add_sockets(self._sockets)
        precompress(embedding.page_scripts())
        self.bundles.get(self.root_url)
        reports = Reports(self)
        self._background = [asyncio.create_task(work) for work in reports.work()]
        self._background.append(asyncio.create_task(self._keep_alive()))
        if self.live_reload is not None:
            self._background.append(asyncio.create_task(self.live_reload.watch()))
        # What is there now stays: the collector need not look at it for every generation that sessions leave behind.
        gc.collect()
        gc.freeze()

    async def stop(self, close_code: int = 1001) -> None:
        """Take no more requests, say goodbye to every client, run every hook."""
        self.draining = True
        self._http.stop()
        for task in self._background:
            task.cancel()
        if self.live_reload is not None:
            self.live_reload.stop()
        for runtime in self.runtimes:
            await runtime.stop(close_code)
        await self._clients_gone()
        await self._http.close_all_connections()
        self.gate.stop()
        if self.settings.unix_socket:
            Path(self.settings.unix_socket).unlink(missing_ok=True)

    def unlisten(self) -> None:
        """Take no more connections; those that are there go on."""
        self._http.stop()

    async def _clients_gone(self) -> None:
        """Wait until the Close frames are answered; a wire cuts the connection itself when that takes too long."""
        while self.clients:
            await asyncio.sleep(0.01)

    async def _keep_alive(self) -> None:
        """Ping every client, and end the connections of those that gave no sign of life for two rounds."""
        interval_s = self.settings.keep_alive_ms / 1000
        while interval_s > 0:
            await asyncio.sleep(interval_s)
            now_s = time.monotonic()
            for client in list(self.clients):
                if now_s - client.wire.last_heard_s > 2 * interval_s + 1:
                    client.wire.abort(1006, "no sign of life")
                else:
                    client.wire.ping()

    def now_s(self) -> int:
        """Seconds since the epoch, for the expiry of tokens."""
        return int(time.time())

    def token_expiry_s(self) -> int:
        """Until when a token that is minted now can build its session, in seconds since the epoch."""
        return self.now_s() + self.settings.session_token_expiration_s

    def mint_token(self, session_id: str, expires_at: int, payload: Mapping[str, Any], user: Any) -> str:
        """A token for the socket of this user's session, good for building it until it expires.

        The payload travels in it where another instance may have to build the session.
        """
        carried = {name: value for name, value in payload.items() if name != "session_expiry"}
        return tokens.mint_token(
            self.signer,
            session_id,
            expires_at=expires_at,
            payload=None if self._small_tokens else carried,
            owner=None if self.gate.open else self.owner_mark(user),
        )

    def owner_mark(self, user: Any) -> str:
        """What stands for this user in a token."""
        return tokens.owner_mark(self.signer, self.gate.owner(user) or "")

    def read_token(self, text: str) -> Token:
        """What a token says; PeerError where it is malformed or forged."""
        return tokens.read_token(self.signer, text)

    def visible_request(self, request: HTTPServerRequest) -> VisibleRequest:
        """What of a request the applications may see."""
        return VisibleRequest.from_request(request, self._filter)

    def routed(self, path: str) -> str:
        """This path with the instance's route in front, if it has one, so that sockets come back to this instance."""
        return f"/_i/{self.settings.route}{path}" if self.settings.route else path

    def socket_path(self, route: str) -> str | None:
        """Where the page's socket is to be opened, if not beside the page."""
        return self.routed(self.settings.prefix + route.rstrip("/")) if self.settings.route else None

    def report_refused_origin(self, origin: str | None) -> None:
        """Say once for each origin which setting would let it in."""
        if origin is None or origin in self._refused_origins or len(self._refused_origins) > 1000:
            return
        self._refused_origins.add(origin)
        host = origin.split("://", 1)[-1][:200]
        hint = f"If it is yours, start with --allow-websocket-origin={host}"
        log.error("Refused a page of origin %r. %s", origin[:200], hint)

    def failure_page(self, error: ApplicationError) -> str:
        """The page of an application that failed."""
        if self.settings.dev:
            cause = error.__cause__
            trace = "".join(_traceback_lines(cause)) if cause is not None else None
            return error_page(500, "The application failed", str(error), traceback=trace, head=self.page_head)
        return error_page(500, "The application failed to start", "", hint="Its operator finds the reason in the log.")

    def index_html(self) -> str:
        """The list of applications."""
        prefix = self.settings.prefix
        if self.settings.index:
            return custom_index_page(self.settings.index, [runtime.url for runtime in self.runtimes], prefix)
        entries = [
            IndexEntry(runtime.url.strip("/") or "/", prefix + runtime.url, runtime.application.description)
            for runtime in self.runtimes
        ]
        return index_page(entries, title="Applications", prefix=prefix)

    def _origin_policy(self) -> OriginPolicy:
        allowed = self.settings.allow_websocket_origin
        if not allowed:
            # A proxy in front of a Unix socket is the one that knows the public name.
            allowed = ("*",) if self.settings.unix_socket else own_hosts(self.settings.address, self._port)
        return OriginPolicy.from_hosts(allowed)

    def routes(self) -> list[tuple[Any, ...]]:
        """The handlers of the server and its applications, for Tornado."""
        prefix = self.settings.prefix
        base = f"{_ROUTE}{prefix}{_ROUTE}"
        server = {"server": self}
        bokehjs = {"roots": (embedding.static_root(),)}
        routes: list[tuple[Any, ...]] = [
            (r"/healthz", HealthHandler, server),
            (r"/readyz", ReadyHandler, server),
        ]
        if prefix:
            routes += [(rf"{prefix}/healthz", HealthHandler, server), (rf"{prefix}/readyz", ReadyHandler, server)]
        if self.live_reload is not None:
            routes.append((rf"{base}/_dev/reload", self.live_reload.handler, server))
        routes += self.gate.routes(base, self)
        for runtime in self.runtimes:
            path = base + runtime.url.rstrip("/")
            context = {"server": self, "runtime": runtime}
            own = runtime.application.static_path
            roots = (own, embedding.static_root()) if own is not None else (embedding.static_root(),)
            routes += [
                (rf"{path}/ws", SocketHandler, context),
                (rf"{path}/metadata", MetadataHandler, context),
                (rf"{path}/autoload\.js", AutoloadHandler, context),
                (rf"{path}/static/extensions/(.*)", StaticFiles, {"packages": embedding.extension_roots()}),
                (rf"{path}/static/(.*)", StaticFiles, {"roots": roots}),
                (rf"{path}/?", PageHandler, context),
            ]
            find = runtime.guest.find_component
            if find is not None:
                # Beside the page, where the address of the page ends with a slash, or else at the root.
                routes += [(rf"{place}/components/(.+)", FoundFiles, {"find": find}) for place in {path, base}]
        routes += [
            (rf"{base}/static/extensions/(.*)", StaticFiles, {"packages": embedding.extension_roots()}),
            (rf"{base}/static/(.*)", StaticFiles, bokehjs),
            (rf"{base}/favicon\.ico", FaviconHandler, server),
            (rf"{base}/?", IndexHandler, server),
            (r"/favicon\.ico", FaviconHandler, server),
            (r".*", MissingHandler, server),
        ]
        return routes


def own_hosts(address: str | None, port: int) -> tuple[str, ...]:
    """The origins under which a browser on this machine reaches the server itself."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if address and address not in ("0.0.0.0", "::", "localhost", "127.0.0.1", "::1"):
        names.append(f"[{address}]" if ":" in address else address)
    return tuple(f"{name}:{port}" for name in names)


def _traceback_lines(error: BaseException) -> list[str]:
    import traceback

    return traceback.format_exception(error)


def _signer(settings: Settings) -> Signer:
    secret = settings.secret_key.encode("utf-8") if settings.secret_key else None
    return Signer(secret, signed=settings.session_ids != "unsigned")


def _favicon(settings: Settings) -> tuple[str, bytes] | None:
    if settings.ico_path == "none":
        return None
    if settings.ico_path in (None, "default"):
        return favicon()
    try:
        return "image/x-icon", Path(settings.ico_path).read_bytes()
    except OSError as error:
        raise OperatorError(f"{settings.ico_path} cannot be read: {error.strerror}", where="--ico-path") from None


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


def _bind(settings: Settings) -> list[socket.socket]:
    try:
        if settings.unix_socket:
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
    _announce(server)
    await stopped.wait()
    sessions = sum(len(runtime.registry) for runtime in server.runtimes)
    log.info("Stopping: %d sessions, %d connections", sessions, len(server.clients))
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
    for runtime in server.runtimes:
        log.info("Serving %s", server.url.rstrip("/") + runtime.url)
    if settings.show:
        for runtime in server.runtimes if len(server.runtimes) == 1 else server.runtimes[:0]:
            webbrowser.open(server.url.rstrip("/") + runtime.url, new=2)
        if len(server.runtimes) > 1:
            webbrowser.open(server.url, new=2)


