"""`app-server serve`: the applications of some paths, served by this process or by several until a signal.

SIGTERM  no more sessions; those that are there go on for a while (--drain), then they are told to come back
SIGINT   the end, with the hooks and without waiting for sessions
A signal of either kind that comes a second or more after the first ends everything at once. Sooner, it repeats the
first, except that SIGINT after SIGTERM waits for sessions no longer.
SIGHUP   with several processes: the applications are loaded anew, and the processes replaced one after another
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import threading
import webbrowser
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import FrameType

from app_server.apps import Application, broken_application, empty_application, load_application, route_for, split_route
from app_server.document import engine
from app_server.engine import containment
from app_server.errors import ApplicationError, AppServerError, OperatorError
from app_server.http import listeners
from app_server.http.accepting import raise_descriptor_limit
from app_server.http.listeners import Listening
from app_server.processes.forking import forks
from app_server.processes.forking.busy_table import BusyTable
from app_server.processes.forking.fork_server import MAX_SESSIONS
from app_server.processes.forking.heartbeat import Heartbeat
from app_server.processes.forking.keeper import end_left_behind
from app_server.processes.forking.master import CANNOT_GO_ON, CANNOT_START, Master
from app_server.processes.forking.stop_signals import Heard, StopSignals
from app_server.processes.forking.worker import MasterLimits, Task
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.policy import key_of_this_run
from app_server.server.isolation import ForkServerPlan, fork_sessions, idle_limits, plan_fork_servers
from app_server.server.membership import Membership
from app_server.server.server import Server
from app_server.server.systemd import Notifier
from app_server.settings import Settings

log = logging.getLogger(__name__)

_LAST_THREADS_S = 2.0
"""How long the applications' threads have to end when everything else has."""

_LAST_SESSIONS_S = 1.0
"""How long sessions have to end whose main process and fork server were killed, after everything else has."""

_BEAT_S = 0.5
_SHORTEST_WATCH_S = 2.0
"""A loop that has turned within this time moves, however soon systemd wants to hear of it."""


def load_applications(paths: Sequence[str], settings: Settings) -> dict[str, Application]:
    """The applications of these words, PATH or ROUTE=PATH, by their routes; none of their code has run.

    Raises OperatorError or ApplicationError.
    """
    if not paths:
        return {"/": empty_application()}
    applications: dict[str, Application] = {}
    given: dict[str, str] = {}
    for word in paths:
        route, path = split_route(word)
        application = _load_application(path, settings, route)
        if application.route in applications:
            other = given[application.route]
            hint = f"Rename one, or give it another address: /NAME={path}"
            raise OperatorError(f"would be served at {application.route}, as {other} is", where=word, hint=hint)
        applications[application.route] = application
        given[application.route] = word
    return applications


def _load_application(path: str, settings: Settings, route: str | None) -> Application:
    """The application of this path; in development, one that does not load is served all the same, with the reason."""
    try:
        application = load_application(path, settings.args, dev=settings.dev, route=route)
        if settings.dev:
            application.prepare()
        return application
    except ApplicationError as error:
        if not settings.dev:
            raise
        log.error("%s", error)
        return broken_application(route or route_for(path), Path(path).absolute(), error, [Path(path).absolute()])


def serve_until_stopped(settings: Settings, paths: Sequence[str]) -> int:
    """Serve these applications until a signal; the process's exit status."""
    engine.install()
    key_of_this_run()
    raise_descriptor_limit()
    notifier = Notifier(os.environ)
    applications = load_applications(paths, settings)
    runtime_dir = RuntimeDir.make(os.environ)
    try:
        count = settings.num_procs or os.cpu_count() or 1
        apart = plan_fork_servers(applications, settings, count)
        for sentence in idle_limits(settings, count, apart):
            log.warning("%s", sentence)
        if count == 1 and not apart:
            return containment.run(_serve_alone(applications, settings, runtime_dir, notifier))
        return _Several(settings, paths, applications, runtime_dir, count, apart).run(notifier)
    finally:
        runtime_dir.remove()


async def _serve_alone(
    applications: Mapping[str, Application], settings: Settings, runtime_dir: RuntimeDir, notifier: Notifier
) -> int:
    _prepare(applications)
    loop = asyncio.get_running_loop()
    server = Server.bound(applications, settings, loop, membership=Membership(runtime_dir, 0, 1))
    return await _serve(server, notifier=notifier)


def _prepare(applications: Mapping[str, Application], isolated: Collection[str] = ()) -> None:
    """Run what the applications run once in a process; after a fork, for it may start threads and open connections."""
    for route, application in applications.items():
        if route not in isolated:
            application.prepare()


class _Several:
    """The main process of several that serve the same applications."""

    def __init__(
        self,
        settings: Settings,
        paths: Sequence[str],
        applications: dict[str, Application],
        runtime_dir: RuntimeDir,
        count: int,
        apart: Sequence[ForkServerPlan],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._applications = applications
        self._runtime_dir = runtime_dir
        self._count = count
        self._apart = {fork_server_plan.slot: fork_server_plan for fork_server_plan in apart}
        self._isolated = {
            route: fork_server_plan.slot for fork_server_plan in apart for route in fork_server_plan.routes
        }
        # The first ones are made now: all processes are to know them.
        self._marks = {fork_server_plan.slot: [BusyTable(MAX_SESSIONS)] for fork_server_plan in apart}
        self._begun: set[int] = set()
        self._sockets = listeners.bind(settings)

    def run(self, notifier: Notifier) -> int:
        settings = self._settings
        inode, made_by = os.stat(settings.unix_socket).st_ino if settings.unix_socket else None, os.getpid()
        forks.freeze()
        limits = MasterLimits(
            settings.drain_s + settings.drain_deadline_s, settings.hang_timeout_s, settings.start_timeout_s
        )
        try:
            count = self._count + len(self._apart)
            master: Master = Master(
                count, self._work, limits, reload=self._reload, starts=self._starts,
                tick=lambda ready: notifier.tick(
                    ready, count, stopping=master.stopping, replacing=master.replacing,
                    moves=master.moves(max(notifier.watchdog_s, _SHORTEST_WATCH_S)),
                ),
            )  # fmt: skip
            status = master.run()
            patience_s = 0.0 if master.impatient else settings.drain_deadline_s
            for tables in self._marks.values():
                end_left_behind(tables, signal.SIGINT, patience_s)
            return status
        finally:
            if inode is not None and os.getpid() == made_by:
                listeners.unlink(settings.unix_socket, inode)

    def _reload(self) -> None:
        self._applications = load_applications(self._paths, self._settings)

    def _starts(self, slot: int) -> None:
        """Make the memory that a process shares with the sessions it forks; it outlives that process."""
        if slot in self._marks and slot in self._begun:
            self._marks[slot] = [marks for marks in self._marks[slot] if not marks.done] + [BusyTable(MAX_SESSIONS)]
        self._begun.add(slot)

    def _work(self, task: Task) -> int:
        try:
            fork_server_plan = self._apart.get(task.slot)
            if fork_server_plan is not None:
                own = {route: self._applications[route] for route in fork_server_plan.routes}
                return fork_sessions(
                    own, self._settings, self._runtime_dir, task, self._sockets,
                    copied=fork_server_plan.copied, marks=self._marks[task.slot],
                )  # fmt: skip
            return containment.run(self._serve(task))
        except AppServerError as error:
            log.error("%s", error)
            return CANNOT_START

    async def _serve(self, task: Task) -> int:
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        _prepare(self._applications, self._isolated)
        membership = Membership(self._runtime_dir, task.slot, self._count, fork_servers=self._isolated)
        listening = Listening.shared(self._settings, self._sockets)
        loop = asyncio.get_running_loop()
        server = Server(self._applications, self._settings, loop, listening, membership=membership)
        status = await _serve(server, task)
        if task.is_orphaned:
            self._end_orphans()
        return status

    def _end_orphans(self) -> None:
        """End the sessions whose fork server was killed, as well as the main process."""
        for tables in self._marks.values():
            end_left_behind([marks for marks in tables if marks.orphaned], signal.SIGTERM, _LAST_SESSIONS_S)


async def _serve(server: Server, task: Task | None = None, notifier: Notifier | None = None) -> int:
    settings = server.settings
    loop = asyncio.get_running_loop()
    asked = _Asked(loop, led=task is not None)
    if task is not None:
        loop.add_reader(task.parent_pipe, _on_orphaned, loop, task.parent_pipe, asked)
    await server.start()
    # What is there now stays: the collector need not look at it for every generation that sessions leave behind.
    forks.freeze()
    beating = None if task is None else loop.create_task(_beat(task.heartbeat))
    telling = None if notifier is None else loop.create_task(_tell(notifier, server))
    if task is None or task.first and task.slot == 0:
        _announce(server)
    keeping = loop.create_task(_keep(server, asked))
    if task is not None:
        task.report_ready()
    number = await asked.first
    if notifier is not None:
        notifier.stopping()
    await _stop(server, settings.drain_s if number == signal.SIGTERM else 0, asked.hurry)
    for work in (beating, telling, keeping):
        if work is not None:
            work.cancel()
    # The interpreter waits for the threads of applications, and some run for ever: they must not keep the process.
    status = min(1, asked.status) if task is None else asked.status  # only the main process tells them apart
    watchdog = threading.Timer(_LAST_THREADS_S, os._exit, (status,))
    watchdog.daemon = True
    watchdog.start()
    return status


class _Asked:
    """What signals have asked of this process; `first` is the number of the one that asked it to stop.

    A process that a main process leads leaves impatience to that one: a signal more ends only its wait for sessions.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, led: bool) -> None:
        self.first: asyncio.Future[int] = loop.create_future()
        self.hurry = asyncio.Event()
        self.status = 0
        """What this process is to end with."""
        self._loop = loop
        self._led = led
        self._stop_signals = StopSignals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def ask(self, number: int) -> None:
        """Stop as at this signal, unless that has been asked for."""
        if not self.first.done():
            self.first.set_result(number)

    def give_up(self, status: int) -> None:
        """Stop by oneself, and end with this status."""
        self.status = status
        self.ask(signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        heard = self._stop_signals.hear()
        if heard is Heard.FIRST:
            self._in_loop(self.ask, number)
        elif heard is Heard.IMPATIENT and not self._led:
            log.warning("A second signal: stopping at once")
            os._exit(1)
        elif number == signal.SIGINT:
            self._in_loop(self.hurry.set)

    def _in_loop(self, call: Callable[..., None], *arguments: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the process is about to end
            self._loop.call_soon_threadsafe(call, *arguments)


async def _stop(server: Server, drain_s: float, hurry: asyncio.Event) -> None:
    settings = server.settings
    log.info(
        "Stopping: %d sessions, %d connections", server.state.process.session_count, len(server.state.process.wires)
    )
    drains = drain_s > 0 or (server.state.process.workers is not None and server.state.process.workers.superseded)
    if drains:
        await _drain(server, drain_s, hurry)
    try:
        async with asyncio.timeout(settings.drain_deadline_s):
            # 1012 is a restart: the page comes back, to whatever answers then.
            await server.stop(1012 if drains else 1001)
    except TimeoutError:
        log.error("Not everything ended within %g s; stopping all the same", settings.drain_deadline_s)


async def _drain(server: Server, drain_s: float, hurry: asyncio.Event) -> None:
    """Let sessions go on until they have ended, the time is up, or a signal asks to hurry."""
    draining, hurried = asyncio.ensure_future(server.drain(drain_s)), asyncio.ensure_future(hurry.wait())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    draining.cancel()
    hurried.cancel()


def _on_orphaned(loop: asyncio.AbstractEventLoop, pipe: int, asked: _Asked) -> None:
    """The main process is gone, and nobody would ever end this one."""
    loop.remove_reader(pipe)
    if not asked.first.done():
        log.error("The main process has ended; stopping too")
        asked.ask(signal.SIGTERM)


async def _keep(server: Server, asked: _Asked) -> None:
    """Stay reachable for the server's other processes, and stop where that cannot be mended."""
    workers = server.state.process.workers
    assert workers is not None
    try:
        await workers.keep()
    except AppServerError as error:
        log.error("%s", error)
        asked.give_up(CANNOT_GO_ON)


async def _beat(heartbeat: Heartbeat) -> None:
    while True:
        heartbeat.beat()
        await asyncio.sleep(_BEAT_S)


async def _tell(notifier: Notifier, server: Server) -> None:
    """Tell systemd that the service is ready, and then that it moves: from the loop, which is what has to."""
    notifier.ready()
    while notifier.watchdog_s:
        notifier.alive(f"{server.state.process.session_count} sessions, {len(server.state.process.wires)} connections")
        await asyncio.sleep(notifier.watchdog_s / 2)


def _announce(server: Server) -> None:
    settings = server.settings
    if any(runtime.application.placeholder for runtime in server.state.runtimes):
        log.warning(
            "No application was named: the page at / says so, and programs can bring documents of their own. "
            "To serve one: app-server serve myapp.py"
        )
    if settings.unix_socket:
        log.info("Serving on the Unix socket %s", settings.unix_socket)
        return
    for runtime in server.state.runtimes:
        log.info("Serving %s", server.url.rstrip("/") + runtime.url)
    if settings.show:
        for runtime in server.state.runtimes if len(server.state.runtimes) == 1 else server.state.runtimes[:0]:
            webbrowser.open(server.url.rstrip("/") + runtime.url, new=2)
        if len(server.state.runtimes) > 1:
            webbrowser.open(server.url, new=2)
