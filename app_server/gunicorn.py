"""Under gunicorn: `gunicorn -k app_server.gunicorn.Worker 'app_server.gunicorn:app("myapp.py")'`.

gunicorn listens, starts and ends the processes, and counts requests and seconds of silence; what the processes do is
what they do under `app-server serve --num-procs`. Each holds a share of the sessions (see `processes.elastic`):

    HUP           the new workers take the shares over; the old ones leave
    TTIN, TTOU    a new worker takes its share from the others; one that leaves gives its own to them
    a crash       the worker that gunicorn starts next takes the share that is free

Who leaves goes on with the sessions that are there, passes everything else on, and ends with the last session or when
gunicorn's graceful_timeout is nearly over.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import faulthandler
import logging
import mmap
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.workers import base

from app_server.embedded.keywords import INSTEAD, in_keywords, settings_from_keywords
from app_server.embedded.sources import Source, Sources, by_route
from app_server.engine import containment
from app_server.errors import AppServerError, OperatorError
from app_server.http.accepting import raise_descriptor_limit
from app_server.http.listeners import Listening
from app_server.observe.logs import JsonFormatter, Stamp
from app_server.observe.output import forgive_output
from app_server.processes.elastic import SLOTS, ElasticWorkerGroup
from app_server.processes.forking import forks
from app_server.processes.runtime_dir import VARIABLE, RuntimeDir
from app_server.requests.state.policy import key_of_this_run
from app_server.server.ending import exit_despite_threads, stop_within
from app_server.server.membership import Membership
from app_server.server.server import Server
from app_server.settings import Settings, with_signing_key

log = logging.getLogger(__name__)

GUNICORNS = {
    "port": "--bind", "address": "--bind", "unix_socket": "--bind", "num_procs": "--workers",
    "ssl_certfile": "--certfile", "ssl_keyfile": "--keyfile", "drain_s": "--graceful-timeout",
    "drain_deadline_s": "--graceful-timeout", "hang_timeout_s": "--timeout", "start_timeout_s": "--timeout", "show": "",
    "dev": "--reload",
    "dev_watch": "--reload-extra-file",
}  # fmt: skip
"""Settings of `app-server serve` that are gunicorn's to make, and the flag that makes them."""

_INSTEAD = {name: hint for name, hint in INSTEAD.items() if name not in ("log_format", "log_json")}
_INSTEAD["log_file"] = "Give gunicorn --error-logfile."

_NOTIFY_S = 1.0
_LOOK_S = 0.1
_JOINING_S = 5.0
"""How long a worker that leaves waits for a new one while others could take its share too."""

_CLOSING_S = 10.0
"""How long connections and hooks may take to end; a third of graceful_timeout where that is less."""

_LAST_THREADS_S = 1.0
_SECRET_HEADERS = ("sec-websocket-protocol", "cookie", "authorization", "bokeh-session-id")
"""Headers that open a session or a login to anyone who reads them in a log."""

_AGE = struct.Struct("q")


class Applications:
    """What `app` returns: applications and their settings, for `Worker`."""

    def __init__(self, sources: Sources, settings: Settings) -> None:
        self.settings = settings
        self.applications = by_route(sources, settings, prepare=False)

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Say in an answer what is wrong where another worker class has been chosen."""
        log.error("gunicorn has been started without our worker class. Add: -k app_server.gunicorn.Worker")
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"The server is misconfigured. Ask the site's operator; details are in the server log.\n"]


def app(*sources: Source | Mapping[str, Source], **settings: Any) -> Applications:
    """The applications that gunicorn's workers serve; sources and keywords are those of `app_server.Server`.

    A single source may be a dictionary from routes to applications.

    What no keyword gives comes from the environment. OperatorError and ApplicationError as for `app_server.Server`.
    """
    for name in settings:
        if name in GUNICORNS:
            hint = f"Give gunicorn {GUNICORNS[name]}." if GUNICORNS[name] else "Leave it out."
            raise OperatorError("is for gunicorn to say", where=name, hint=hint)
    if not sources:
        hint = 'Name at least one, such as app("myapp.py").'
        raise OperatorError("no application", where="app_server.gunicorn:app", hint=hint)
    with in_keywords():
        resolved = settings_from_keywords(settings, os.environ, _INSTEAD)
    if resolved.isolation != "none":
        hint = "Use app-server serve --num-procs, or leave it out."
        raise OperatorError("gunicorn's workers do not start processes for sessions", where="isolation", hint=hint)
    with in_keywords():
        given: Any = sources[0] if len(sources) == 1 else list(sources)
        return Applications(given, resolved)


class Worker(base.Worker):  # type: ignore[misc]
    """One of gunicorn's processes, serving sessions that are its own."""

    _newest: mmap.mmap | None = None
    """The number of the newest worker, which all processes see; only gunicorn's main process writes it."""

    _runtime_dir: RuntimeDir | None = None

    def __init__(self, age: int, *args: Any) -> None:
        super().__init__(age, *args)
        if Worker._newest is None:
            Worker._newest = mmap.mmap(-1, mmap.PAGESIZE)
            Worker._runtime_dir = _made_runtime_dir(self.cfg)
            key_of_this_run()
        _AGE.pack_into(Worker._newest, 0, age)
        self._quick = False
        self._status = 0

    def init_process(self) -> None:
        """Serve until asked to leave, and end by SystemExit only.

        gunicorn takes any other BaseException, or an output that cannot be written, into the code of its main process,
        which this one is a fork of: it would end the other workers.
        """
        atexit.register(self._leave)
        try:
            super().init_process()
        except SystemExit as error:
            self._status = forks.exit_status(error.code)
        except AppImportError as error:
            self._status = Arbiter.APP_LOAD_ERROR
            with contextlib.suppress(Exception):
                sys.stderr.write(f"{error}\n")
        except BaseException:
            self._status = 255 if self.booted else Arbiter.WORKER_BOOT_ERROR
            self.log.exception("Exception in worker process")
        sys.exit(self._status)

    def _leave(self) -> None:
        """End the process before what the main process has registered for its own end runs in this one."""
        forks.flush_output()
        os._exit(self._status)

    def init_signals(self) -> None:
        """As gunicorn's, and where the process stands is written to stderr when gunicorn ends it for its silence."""
        super().init_signals()
        faulthandler.enable()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """End at once: SystemExit would be taken for one of the application."""
        self.cfg.worker_abort(self)
        os._exit(1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Leave when there is time; gunicorn says so again and again."""
        self.alive = False

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End soon, with the hooks of the sessions."""
        self.alive = False
        self._quick = True

    def load_wsgi(self) -> None:
        """Load the applications; an error of theirs is logged in one line, and gunicorn ends with it."""
        try:
            super().load_wsgi()
        except AppServerError as error:
            raise AppImportError(f"app-server: {error}") from error
        if not isinstance(self.wsgi, Applications):
            raise AppImportError(
                "app-server: this worker serves what app_server.gunicorn.app returns, and nothing else. "
                'Name app_server.gunicorn:app("myapp.py").'
            )

    def run(self) -> None:
        """Serve until asked to leave."""
        forgive_output()
        _log_as(self.wsgi.settings, self.cfg)
        forks.reseed()
        raise_descriptor_limit()
        if status := containment.run(self._served(self.wsgi)):
            sys.exit(status)

    async def _served(self, loaded: Applications) -> int:
        """Serve until asked to leave; the status that the process ends with, whatever its threads do then."""
        status = 0
        try:
            await self._serve(loaded)
        except AppServerError as error:
            log.error("%s", error)
            status = int(Arbiter.APP_LOAD_ERROR)
        exit_despite_threads(_LAST_THREADS_S, status)
        return status

    async def _serve(self, loaded: Applications) -> None:
        loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        for number, handler in ((signal.SIGTERM, self.handle_exit), (signal.SIGINT, self.handle_quit),
                                (signal.SIGQUIT, self.handle_quit)):  # fmt: skip
            signal.signal(number, self._on_signal(handler, loop))
        notifying = loop.create_task(self._notify())
        for application in loaded.applications.values():
            application.prepare()
        settings = with_signing_key(loaded.settings, lambda: key_of_this_run().hex())
        settings = _with_address(settings, self.cfg, self.sockets)
        runtime_dir = self._runtime_dir or RuntimeDir.join(_base(self.cfg), self.ppid)
        server = Server(
            loaded.applications, settings, loop, Listening.shared(settings, [sock.sock for sock in self.sockets]),
            membership=Membership(runtime_dir, self.age - 1, SLOTS, kind=ElasticWorkerGroup),
            also_log=self._log_access if self.log.access_log_enabled else None,
        )  # fmt: skip
        workers = server.state.process.workers
        assert isinstance(workers, ElasticWorkerGroup)
        await server.start()
        forks.freeze()
        keeping = loop.create_task(workers.keep())
        self.log.info("Worker %d serves %d applications (pid: %s)", self.age, len(loaded.applications), self.pid)
        await self._until_asked(server, workers, keeping)
        self._quick |= keeping.done()
        await self._end(server, workers)
        notifying.cancel()
        if keeping.done():
            keeping.result()
        keeping.cancel()

    def _log_access(self, handler: Any) -> None:
        """A line of gunicorn's access log, in its format; without the query, which may carry a token."""
        request = handler.request
        headers = request.headers.get_all()
        environ = {
            "REMOTE_ADDR": request.remote_ip or "-", "REQUEST_METHOD": request.method, "RAW_URI": request.path,
            "PATH_INFO": request.path, "QUERY_STRING": "", "SERVER_PROTOCOL": request.version,
            "HTTP_REFERER": request.headers.get("Referer", "-").partition("?")[0],
            "HTTP_USER_AGENT": request.headers.get("User-Agent", "-"),
        }  # fmt: skip
        answer = SimpleNamespace(
            status=str(handler.get_status()),
            headers=handler._headers.get_all(),
            sent=handler._headers.get("Content-Length"),
        )
        asked = [(name, value) for name, value in headers if name.lower() not in _SECRET_HEADERS]
        self.log.access(answer, asked, environ, timedelta(seconds=request.request_time()))

    def _on_signal(
        self, handler: Callable[[int, None], None], loop: asyncio.AbstractEventLoop
    ) -> Callable[[int, FrameType | None], None]:
        """What is done at a signal, as often as it comes: gunicorn repeats it until the process has ended."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            handler(number, None)
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the process is about to end
                loop.call_soon_threadsafe(self._woken.set)

        return on_signal

    async def _notify(self) -> None:
        """Tell gunicorn that the loop turns, and look whether gunicorn is there."""
        while True:
            self.notify()
            if self.alive and self.ppid != os.getppid():
                self.log.error("gunicorn's main process has ended; leaving too")
                self.handle_exit(signal.SIGTERM, None)
                self._woken.set()
            await asyncio.sleep(_NOTIFY_S)

    async def _until_asked(self, server: Server, workers: ElasticWorkerGroup, keeping: asyncio.Task[None]) -> None:
        """Return when the worker is to leave: because gunicorn says so, after max_requests, or because it is lost."""
        while self.alive and not keeping.done():
            answered = sum(server.state.process.gauges.answers.values())
            if answered >= self.max_requests and await self._may_go(server, workers):
                self.log.info("Worker %d has answered %d requests, and makes way for a new one", self.age, answered)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LOOK_S)

    async def _may_go(self, server: Server, workers: ElasticWorkerGroup) -> bool:
        """Whether a worker may leave by itself: one at a time, and the only one not while it has sessions."""
        others = await workers.may_leave()
        if others == 0 and not server.state.process.session_count:
            server.unlisten()  # who comes now waits in the listening socket's queue for the next worker
            return True
        return others > 0

    async def _end(self, server: Server, workers: ElasticWorkerGroup) -> None:
        """Leave: give the share to others, let sessions go on for a while, tell the rest to come back."""
        graceful_s = float(self.cfg.graceful_timeout)
        closing_s = min(_CLOSING_S, graceful_s / 3)
        if not self._quick:
            leaving = asyncio.ensure_future(self._drain(server, workers, graceful_s - closing_s))
            while not leaving.done() and not self._quick:
                await asyncio.wait({leaving}, timeout=_LOOK_S)
            leaving.cancel()
        # 1012 is a restart: the page comes back, to whatever answers then.
        await stop_within(closing_s, server.stop(1001 if self._quick else 1012))

    async def _drain(self, server: Server, workers: ElasticWorkerGroup, patience_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.log.info("Worker %d leaves: %d sessions, %d connections", self.age, server.state.process.session_count,
                      len(server.state.process.wires))  # fmt: skip
        begun_s = loop.time()
        workers.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._hand_slots_on(workers, begun_s)
        await server.drain(max(0.0, begun_s + patience_s - loop.time()))

    async def _hand_slots_on(self, workers: ElasticWorkerGroup, begun_s: float) -> None:
        """Return when others have all that comes, or when everybody leaves, because gunicorn stops."""
        loop = asyncio.get_running_loop()
        while not workers.superseded:
            await asyncio.sleep(_LOOK_S)  # all who are to leave know it by then
            comes = self._number_of_newest() > await workers.newest()
            if not comes or loop.time() - begun_s > _JOINING_S:
                if await workers.relieve() or not comes:
                    return

    def _number_of_newest(self) -> int:
        assert Worker._newest is not None
        return int(_AGE.unpack_from(Worker._newest, 0)[0]) - 1


def _made_runtime_dir(cfg: Any) -> RuntimeDir | None:
    """The processes' runtime directory, if gunicorn's main process can make it; None if another user has to."""
    if cfg.uid != os.geteuid():
        return None
    runtime_dir = RuntimeDir.make(os.environ)
    atexit.register(runtime_dir.remove)
    return runtime_dir


def _base(cfg: Any) -> Path:
    """The directory of the user that the workers run as, who is not the one that gunicorn was started by."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else Path(tempfile.gettempdir()) / f"app-server-{cfg.uid}"


def _with_address(settings: Settings, cfg: Any, sockets: list[Any]) -> Settings:
    """The settings with what gunicorn says of the address and of TLS."""
    name = sockets[0].getsockname()
    if sockets[0].family == socket.AF_UNIX:
        settings = replace(settings, unix_socket=os.fsdecode(name))
    else:
        settings = replace(settings, address=name[0], port=name[1])
    if cfg.is_ssl:
        settings = replace(settings, ssl_certfile=cfg.certfile, ssl_keyfile=cfg.keyfile)
    return settings


def _log_as(settings: Settings, cfg: Any) -> None:
    """Log where gunicorn logs its errors, in its format unless the settings have one of their own."""
    handlers = logging.getLogger("gunicorn.error").handlers
    root, defaults = logging.getLogger(), Settings()
    if not root.handlers:
        root.handlers = list(handlers)
        root.setLevel(logging.getLogger("gunicorn.error").level)
    if settings.log_level != defaults.log_level:
        logging.getLogger("app_server").setLevel(9 if settings.log_level == "trace" else settings.log_level.upper())
    formatter: logging.Formatter | None = None
    if settings.log_json:
        formatter = JsonFormatter()
    elif settings.log_format != defaults.log_format:
        formatter = logging.Formatter(settings.log_format)
    for handler in handlers:
        handler.addFilter(Stamp())
        if formatter is not None:
            handler.setFormatter(formatter)
