"""One of gunicorn's processes: it serves sessions of its own, and leaves when gunicorn says so."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import faulthandler
import logging
import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import FrameType, SimpleNamespace
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.workers import base

from app_server.auth.shared_failures import failures_of_this_run
from app_server.auth.shared_tokens import tokens_of_this_run
from app_server.engine import containment
from app_server.errors import AppServerError
from app_server.gunicorn.applications import Applications
from app_server.gunicorn.configured import base_dir, log_as, made_runtime_dir, with_address
from app_server.http.accepting import raise_descriptor_limit
from app_server.http.listeners import Listening
from app_server.observe.output import forgive_output
from app_server.processes.elastic import SLOTS, ElasticWorkerGroup
from app_server.processes.forking import forks
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.policy import key_of_this_run
from app_server.server.applications import prepare
from app_server.server.ending import exit_despite_threads, stop_within
from app_server.server.membership import Membership
from app_server.server.server import Server
from app_server.settings import with_signing_key

log = logging.getLogger(__name__)

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


class Worker(base.Worker):  # type: ignore[misc]
    """One of gunicorn's processes, serving sessions that are its own."""

    _newest: mmap.mmap | None = None
    """The number of the newest worker, which all processes see; only gunicorn's main process writes it."""

    _runtime_dir: RuntimeDir | None = None

    def __init__(self, age: int, *args: Any) -> None:
        super().__init__(age, *args)
        if Worker._newest is None:
            Worker._newest = mmap.mmap(-1, mmap.PAGESIZE)
            Worker._runtime_dir = made_runtime_dir(self.cfg)
            key_of_this_run()
            failures_of_this_run()
            tokens_of_this_run()
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
        log_as(self.wsgi.settings, self.cfg)
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
        prepare(loaded.settings, loaded.applications)
        settings = with_signing_key(loaded.settings, lambda: key_of_this_run().hex())
        # A worker is silent while it starts.
        settings = replace(with_address(settings, self.cfg, self.sockets), start_timeout_s=float(self.cfg.timeout))
        runtime_dir = self._runtime_dir or RuntimeDir.join(base_dir(self.cfg), self.ppid)
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
