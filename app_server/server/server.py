"""The server: its applications behind their routes, its address, and its life from start to stop.

bind -> load hooks -> warmup -> serve -> drain -> close the connections -> hooks of every session -> unload hooks
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from tornado.httputil import HTTPServerRequest

from app_server.apps import Application
from app_server.document import engine
from app_server.document.pages import embedding
from app_server.engine.lifecycle import UNOBSERVED, SessionObserver
from app_server.engine.local import Snapshot
from app_server.engine.loop import EngineLoop
from app_server.engine.loop_monitor import LoopMonitor
from app_server.http.auth_backend import AuthBackend
from app_server.http.intake import Intake
from app_server.http.listeners import Listening, tls_context
from app_server.http.matching import RoutedApplication
from app_server.http.static import precompress
from app_server.observe.gauges import Gauges
from app_server.observe.otel.setup import make_tracing
from app_server.processes.ipc import Message
from app_server.processes.polling import until
from app_server.protocol.pace import Pace
from app_server.requests.dispatch.arriving import SharedHTTPServer
from app_server.requests.state.pages import Pages
from app_server.requests.state.process import ProcessState, nothing_changes
from app_server.requests.state.server_state import ServerState
from app_server.requests.state.transport import TORNADO, Transport
from app_server.security.hostnames import bracketed
from app_server.server.console.answers import console_answers
from app_server.server.console.places import maintenance_of, stalls_of
from app_server.server.membership import Membership, PeerAnswers, make_admission, notify_successors
from app_server.server.observing.request_log import request_log
from app_server.server.observing.stats_log import StatsLog
from app_server.server.observing.telemetry import Telemetry
from app_server.server.once.tasks import ServerTasks
from app_server.server.reload import LiveReload, head_of
from app_server.server.routes import routes_of
from app_server.server.runtimes import OwnSession, make_runtimes, owners, policy_for
from app_server.server.saving import make_saver
from app_server.server.warming.warmup import warm_up_applications
from app_server.settings import Settings
from app_server.websocket.keep_alive import keep_alive

log = logging.getLogger(__name__)

_LOOK_S = 0.05
"""How often a server that drains looks whether its sessions have ended."""

_ANSWER_WITHIN_S = 2.0
"""How long a server that stops waits for the answers to requests that have come."""


class Server:
    """Serves applications by the settings, on one asyncio loop, in whose thread everything here is called.

    Without `loop`, it is that of the process in which the server starts. Without `listening`, connections come only
    from other processes, by `arrive`. `membership` says which of the server's processes this is; `session`, that it is
    there for one session. `extra_patterns` are handlers of Tornado that are asked first. `also_log` is called with the
    handler of each answered request. `auth` replaces the login of the settings, `transport` the way requests come.
    """

    def __init__(
        self,
        applications: Mapping[str, Application],
        settings: Settings,
        loop: asyncio.AbstractEventLoop | None,
        listening: Listening | None = None,
        *,
        membership: Membership | None = None,
        session: OwnSession | None = None,
        extra_patterns: Sequence[tuple[Any, ...]] = (),
        also_log: Callable[[Any], None] | None = None,
        auth: AuthBackend | None = None,
        transport: Transport = TORNADO,
    ) -> None:
        engine.install()
        self.settings = settings
        self._listening = listening if listening is not None else Listening(settings.port)
        policy = session.policy if session else policy_for(settings, self._listening.port, auth, transport)
        gauges = Gauges()
        admission = make_admission(settings, lambda: self.state.process.workers, forked=session is not None)
        isolated = membership.fork_servers if membership is not None else ()
        engine_loop = EngineLoop(loop)
        tracing = make_tracing(settings)
        self._saver = make_saver(settings, gauges.saving, lambda: self.state.runtimes, policy.auth.owner, tracing)
        runtimes = make_runtimes(
            applications, policy, engine_loop, gauges, admission, isolated, session, self._saver, tracing
        )
        stalls = stalls_of(settings, membership)
        self._loop_monitor = LoopMonitor(gauges.loop, engine_loop.running, settings.block_limit_s, stalls)
        self.console = console_answers(settings, runtimes, stalls, isolated=session is not None)
        self._live_reload = LiveReload(runtimes, settings) if settings.dev else None
        workers = membership.workers(runtimes, self.arrive, self._superseded) if membership is not None else None
        process = ProcessState(
            runtimes, gauges, admission,
            workers=workers,
            session_processes=membership.session_processes(workers) if membership and workers else None,
            only_session=session.session_id if session else None,
            look_for_changes=self._live_reload.look if self._live_reload else nothing_changes,
            maintenance=maintenance_of(settings, membership.runtime_dir if membership else None),
            tracing=tracing,
        )  # fmt: skip
        pages = session.pages if session else Pages(settings, runtimes, head_of(self._live_reload, settings.prefix))
        self.state = ServerState(policy, process, pages, transport)
        self._make_application = partial(
            RoutedApplication,
            patterns=extra_patterns,
            cookie_secret=settings.cookie_secret,
            xsrf_cookies=settings.enable_xsrf_cookies,
            log_function=request_log(gauges, also_log),
        )
        self.application = self._make_application(self.routes())
        pace = Pace(settings.request_timeout_s, settings.idle_timeout_s)
        self._http = SharedHTTPServer(
            self.application,
            xheaders=settings.use_xheaders,
            ssl_options=tls_context(settings),
            intake=Intake(pace, self.largest_body, gauges.answered),
        )
        self._telemetry = Telemetry(self.state, self._listening.port)
        self._tasks = ServerTasks(settings, membership.runtime_dir if membership is not None else None)
        self._background: list[asyncio.Task[None]] = []
        if workers is not None:
            url = f"unix:{settings.unix_socket}" if settings.unix_socket else self.url
            PeerAnswers(self.state, url, self.console).register(workers)

    def _superseded(self) -> None:
        """Accept no more connections: another process has the slot."""
        self._http.stop()

    @classmethod
    def bound(
        cls, applications: Mapping[str, Application], settings: Settings, loop: asyncio.AbstractEventLoop, **more: Any
    ) -> Self:
        """A server that listens at the settings' address. OperatorError if the address cannot be used."""
        listening = Listening.bound(settings)
        try:
            return cls(applications, settings, loop, listening, **more)
        except BaseException:
            listening.close()
            raise

    def for_sessions(self, route: str, snapshot: Snapshot | None) -> Server:
        """A server of one session of this one's application, which `begin_session` names.

        It may be made before the fork of the process that will serve the session, unless it opens a store.
        """
        (application,) = (runtime.application for runtime in self.state.runtimes if runtime.url == route)
        session = OwnSession("", self.state.policy, self.state.pages, snapshot, UNOBSERVED)
        return Server({route: application}, self.settings, None, Listening(self._listening.port), session=session)

    def begin_session(self, session_id: str, observer: SessionObserver) -> None:
        """Be there for this session, and notify `observer` of it."""
        self.state.process.serve_only(session_id)
        for runtime in self.state.runtimes:
            runtime.observe(observer)

    @property
    def port(self) -> int | None:
        """The port of the server, which the system chose if the settings say 0; None on a Unix socket."""
        return None if self.settings.unix_socket else self._listening.port

    @property
    def url(self) -> str:
        """The address of the server for a browser on this machine."""
        scheme = "https" if self.settings.ssl_certfile else "http"
        host = self.settings.address or "localhost"
        if host in ("0.0.0.0", "::"):
            host = "localhost"
        return f"{scheme}://{bracketed(host)}:{self._listening.port}{self.settings.prefix}/"

    async def start(self) -> None:
        """Run the load hooks, warm up, take connections, begin the background work; `bind` comes before."""
        self.console.begin()
        self._telemetry.start()
        for runtime in self.state.runtimes:
            await runtime.start()
        self._tasks.begin()
        if self.settings.warm:
            await warm_up_applications(self.state)
        if self.state.process.workers is not None:
            await self.state.process.workers.open()
        self._http.add_sockets([sock for sock in self._listening.sockets if sock.fileno() >= 0])
        if self.state.process.workers is None or self.state.process.workers.slot == 0:  # once is enough
            precompress(embedding.page_scripts())
        self.state.pages.bundles.get(self.state.pages.root_url)
        own = (self._keep_alive(), self._http.watch(), self._loop_monitor.run(), *self._telemetry.work())
        self._background = [asyncio.create_task(each) for each in (*StatsLog(self.state).work(), *own)]
        self._background += self._saving_and_logins()
        if self._live_reload is not None:
            self._background.append(asyncio.create_task(self._live_reload.watch()))

    async def start_isolated(self) -> None:
        """Begin to serve one session in this process; its connections come by `arrive`."""
        self.console.begin()
        self._telemetry.start()
        for runtime in self.state.runtimes:
            await runtime.start()
        self._background = [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._http.watch())]
        self._background += self._saving_and_logins()

    def _saving_and_logins(self) -> list[asyncio.Task[None]]:
        """The background work of store and login; processes of single sessions do not look for what has expired."""
        work = [] if self._saver is None else self._saver.work(purges=self.state.process.only_session is None)
        auth = self.state.policy.auth
        return [asyncio.create_task(each) for each in (*work, *auth.work(partial(owners, auth, self.state.runtimes)))]

    def arrive(self, message: Message, sock: socket.socket) -> None:
        """Answer on the connection that this message brings, which `sock` has delivered."""
        self._http.arrive(message, sock)

    async def drain(self, patience_s: float) -> None:
        """Begin no more sessions; return when all sessions and jobs have ended, or when the time is up."""
        self.state.process.begin_draining()
        self._tasks.end()
        await until(lambda: self.state.process.idle, patience_s, _LOOK_S)
        if self.state.process.workers is not None:
            await notify_successors(self.state.process.workers, self.state.runtimes)

    async def stop(self, close_code: int = 1001) -> None:
        """Make no more sessions, close every client's connection, run every hook."""
        self.state.process.begin_draining()
        self._tasks.end()
        for task in self._background:
            task.cancel()
        if self._live_reload is not None:
            self._live_reload.stop()
        workers = self.state.process.workers
        self._http.finish(take_waiting=workers is None or workers.slots == 1)
        await self._answers_given()
        for runtime in self.state.runtimes:
            runtime.begin_stop()
        if self._saver is not None:
            await self._saver.save_before_leaving()
            close_code = 1012  # the page comes back, to a process that restores its session
        for runtime in self.state.runtimes:
            await runtime.stop(close_code)
        if self._saver is not None:
            await self._saver.stop()
        await self._clients_gone()
        if workers is not None:
            await workers.close()
            await self._answers_given()
        await self._http.close_all_connections()
        self.state.policy.auth.stop()
        if self.state.process.session_processes is not None:
            self.state.process.session_processes.close()
        await self._telemetry.stop()
        self._listening.close()
        self.console.stop()

    def close(self) -> None:
        """Free the address, also of a server that was never started. Idempotent."""
        self.unlisten()
        self._listening.close()

    def largest_body(self, request: HTTPServerRequest) -> int | None:
        """How large this request's body may be, in bytes; None for the handlers that a program has added to ours."""
        return self.application.largest_body(request)

    def routes(self) -> list[tuple[Any, ...]]:
        """The handlers of the server and its applications, for Tornado."""
        return routes_of(self.state, self._live_reload)

    def below(self, root: str, auth: AuthBackend) -> RoutedApplication:
        """What answers below this path, at which another program has put the server, with this login."""
        state = self.state.below(root, auth, head_of(self._live_reload, root + self.settings.prefix))
        return self._make_application(routes_of(state, self._live_reload, root))

    def unlisten(self) -> None:
        """Accept no more connections; those that are open stay open."""
        self._http.stop()
        if not self._background:  # it does not listen yet, and must not do so later
            for sock in self._listening.sockets:
                sock.close()

    async def _answers_given(self) -> None:
        """Wait until the requests that have come are answered, those of connections that were just accepted too."""
        await asyncio.sleep(_LOOK_S if self._http.connected else 0)
        await until(lambda: not self.state.process.answers, _ANSWER_WITHIN_S, _LOOK_S)

    async def _clients_gone(self) -> None:
        """Wait until the Close frames are answered; a wire cuts the connection itself when that takes too long."""
        while self.state.process.wires:
            await asyncio.sleep(0.01)

    async def _keep_alive(self) -> None:
        """Ping every client, and end the connections of those that have gone."""
        await keep_alive(self.state.process.wires, self.settings.keep_alive_ms / 1000)
