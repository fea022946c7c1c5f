"""gunicorn's worker in the test's process: what it refuses, how it serves, leaves and hands its share on."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import socket
import types
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.errors import AppImportError
from gunicorn.glogging import Logger
from gunicorn.workers import base
from tornado.httputil import HTTPHeaders

from app_server.errors import ApplicationError
from app_server.gunicorn import Applications, Worker, app, configured, worker
from app_server.processes.elastic import SLOTS
from app_server.processes.forking import forks
from app_server.processes.runtime_dir import VARIABLE, RuntimeDir
from app_server.server import ending
from tests.support.short_paths import tmp_path as tmp_path
from tests.support.waiting import patience

LOAD_ERROR = 4
"""gunicorn's Arbiter.APP_LOAD_ERROR: the status at which it ends instead of starting a worker again."""


def fill(document: Any) -> None:
    """An application."""
    document.title = "Filled"


class Arbiter:
    """What gunicorn's main process gives its workers: an address, its settings and its log."""

    def __init__(self) -> None:
        self.cfg = Config()
        self.cfg.set("graceful_timeout", 3)
        self.log = Logger(self.cfg)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)  # as gunicorn's
        self.at_exit: list[Callable[[], Any]] = []
        self.timers: list[tuple[float, tuple[int, ...]]] = []
        self.ended: list[int] = []
        self.age = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def worker(self, wsgi: object = None) -> Worker:
        """The next worker, before its fork."""
        self.age += 1
        sock = self.socket.dup()
        listener = types.SimpleNamespace(sock=sock, family=sock.family, getsockname=sock.getsockname)
        application = types.SimpleNamespace(wsgi=lambda: wsgi, callable=wsgi)
        made = Worker(self.age, os.getppid(), [listener], application, 30, self.cfg, self.log)
        made.wsgi = wsgi
        made.pid = os.getpid()
        return made

    def timer(self, delay_s: float, function: object, arguments: tuple[int, ...]) -> Any:
        """Note what would end the process."""
        self.timers.append((delay_s, arguments))
        return types.SimpleNamespace(start=lambda: None)


@pytest.fixture
def arbiter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arbiter]:
    made = Arbiter()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run"))
    monkeypatch.setattr(Worker, "_newest", None)
    monkeypatch.setattr(Worker, "_runtime_dir", None)
    for module in (worker, configured):
        monkeypatch.setattr(module, "atexit", types.SimpleNamespace(register=made.at_exit.append))
    monkeypatch.setattr(ending, "threading", types.SimpleNamespace(Timer=made.timer))
    monkeypatch.setattr(worker, "os", types.SimpleNamespace(**vars(os) | {"_exit": made.ended.append}))
    monkeypatch.setattr(worker, "_LOOK_S", 0.005)
    monkeypatch.setattr(worker, "_NOTIFY_S", 0.005)
    monkeypatch.setattr(forks, "freeze", lambda: None)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)
    made.socket.close()


@asynccontextmanager
async def serving(worker: Worker) -> AsyncIterator[asyncio.Task[int]]:
    """A worker that serves; the task has the status that it ends with."""
    task = asyncio.ensure_future(worker._served(worker.wsgi))
    assert worker._runtime_dir is not None
    socket_path = worker._runtime_dir.socket_path(worker.age - 1, os.getpid())
    async with asyncio.timeout(patience(10)):
        while not task.done() and not (socket_path.exists() and worker._runtime_dir.holder(0) is not None):
            await asyncio.sleep(0.002)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for listener in worker.sockets:
            listener.sock.close()


async def status_of(task: asyncio.Task[int]) -> int:
    """The status that the worker ends with."""
    async with asyncio.timeout(patience(10)):
        return await asyncio.shield(task)


def get(url: str) -> str:
    """The page at this address."""
    with urllib.request.urlopen(url, timeout=patience(10)) as answer:
        return str(answer.read().decode())


async def test_a_worker_serves_until_gunicorn_says_so_and_gives_its_place_up(arbiter: Arbiter) -> None:
    worker = arbiter.worker(app(fill))
    async with serving(worker) as task:
        assert "<title>Filled</title>" in await asyncio.to_thread(get, f"{arbiter.url}/")
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert await status_of(task) == 0
    assert not worker.alive and arbiter.timers == [(1.0, (0,))]
    assert worker._runtime_dir is not None and worker._runtime_dir.socket_paths() == []


async def test_a_worker_that_is_to_quit_ends_without_waiting_for_sessions(arbiter: Arbiter) -> None:
    arbiter.cfg.set("graceful_timeout", 3600)
    async with serving(arbiter.worker(app(fill))) as task:
        await asyncio.to_thread(get, f"{arbiter.url}/")  # its session would be waited for
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0.02)
        assert not task.done()
        signal.raise_signal(signal.SIGQUIT)
        assert await status_of(task) == 0


async def test_a_worker_whose_main_process_has_gone_leaves(arbiter: Arbiter, caplog: pytest.LogCaptureFixture) -> None:
    worker = arbiter.worker(app(fill))
    arbiter.log.error_log.propagate = True
    async with serving(worker) as task:
        worker.ppid = 1 if os.getppid() != 1 else 2
        assert await status_of(task) == 0
    assert "gunicorn's main process has ended; leaving too" in caplog.messages


async def test_the_only_worker_leaves_after_its_requests_once_it_has_no_session(arbiter: Arbiter) -> None:
    worker = arbiter.worker(app(fill))
    worker.max_requests = 2
    async with serving(worker) as task:
        await asyncio.to_thread(get, f"{arbiter.url}/healthz")
        await asyncio.sleep(0.02)
        assert not task.done()
        await asyncio.to_thread(get, f"{arbiter.url}/healthz")
        assert await status_of(task) == 0


async def test_who_leaves_gives_its_share_to_who_stays(arbiter: Arbiter) -> None:
    predecessor, successor = arbiter.worker(app(fill)), arbiter.worker(app(fill))
    runtime_dir = predecessor._runtime_dir
    assert runtime_dir is not None and successor._runtime_dir is runtime_dir
    async with serving(predecessor) as leaving, serving(successor) as staying:
        socket_paths = [runtime_dir.socket_path(number, os.getpid()) for number in (0, 1)]
        async with asyncio.timeout(patience(10)):
            while {runtime_dir.holder(slot) for slot in range(SLOTS)} != set(socket_paths):
                await asyncio.sleep(0.005)
        predecessor.handle_exit(signal.SIGTERM, None)
        predecessor._woken.set()
        assert await status_of(leaving) == 0
        assert {runtime_dir.holder(slot) for slot in range(SLOTS)} == {socket_paths[1]} and not staying.done()
        assert "<title>Filled</title>" in await asyncio.to_thread(get, f"{arbiter.url}/")


async def test_an_application_that_does_not_start_ends_gunicorn(
    arbiter: Arbiter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = app(fill)

    def prepare() -> None:
        raise ApplicationError("it cannot be prepared", where="app.py:3")

    monkeypatch.setattr(loaded.applications["/"], "prepare", prepare)
    async with serving(arbiter.worker(loaded)) as task:
        assert await status_of(task) == LOAD_ERROR
    assert "app.py:3: it cannot be prepared" in caplog.messages
    assert arbiter.timers == [(1.0, (LOAD_ERROR,))]


def test_what_is_no_application_of_ours_is_refused_with_what_to_name(arbiter: Arbiter) -> None:
    with pytest.raises(AppImportError) as caught:
        arbiter.worker(object()).load_wsgi()
    assert str(caught.value) == (
        "app-server: this worker serves what app_server.gunicorn.app returns, and nothing else. "
        'Name app_server.gunicorn:app("myapp.py").'
    )


def test_an_error_of_the_operators_is_one_line_for_gunicorn(arbiter: Arbiter) -> None:
    worker = arbiter.worker()

    def wsgi() -> Applications:
        return app(fill, port=80)

    worker.app = types.SimpleNamespace(wsgi=wsgi)
    with pytest.raises(AppImportError) as caught:
        worker.load_wsgi()
    assert str(caught.value) == "app-server: port: is for gunicorn to say. Give gunicorn --bind."


@pytest.mark.parametrize(
    ("error", "booted", "status"),
    [
        (SystemExit(7), True, 7),
        (SystemExit("words"), True, 1),
        (AppImportError("no such application"), False, LOAD_ERROR),
        (ValueError("while it starts"), False, 3),
        (ValueError("while it serves"), True, 255),
        (KeyboardInterrupt(), True, 255),
    ],
)
def test_whatever_happens_the_process_ends_there_with_a_status(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch, error: BaseException, booted: bool, status: int
) -> None:
    worker = arbiter.worker()
    worker.booted = booted

    def init(self: object) -> None:
        raise error

    monkeypatch.setattr(base.Worker, "init_process", init)
    output = io.StringIO()
    monkeypatch.setattr("sys.stderr", output)
    with pytest.raises(SystemExit) as ended:
        worker.init_process()
    assert ended.value.code == status
    arbiter.at_exit[-1]()  # before anything that the main process has registered
    assert arbiter.ended == [status]
    if isinstance(error, AppImportError):
        assert output.getvalue() == "no such application\n"


def test_a_worker_that_was_silent_for_too_long_ends_at_once(arbiter: Arbiter) -> None:
    worker = arbiter.worker()
    seen: list[object] = []
    arbiter.cfg.set("worker_abort", lambda worker: seen.append(worker))
    worker.handle_abort(signal.SIGABRT, None)
    assert arbiter.ended == [1] and seen == [worker]


def test_signals_say_how_soon_a_worker_is_to_leave(arbiter: Arbiter) -> None:
    patient, quick = arbiter.worker(), arbiter.worker()
    patient.handle_exit(signal.SIGTERM, None)
    quick.handle_quit(signal.SIGQUIT, None)
    assert (patient.alive, patient._quick) == (False, False)
    assert (quick.alive, quick._quick) == (False, True)


def test_gunicorns_access_log_gets_a_line_without_secrets(arbiter: Arbiter) -> None:
    asked = {
        "User-Agent": "Mozilla", "Referer": "http://host/from?token=secret", "Cookie": "secret",
        "Authorization": "secret", "Bokeh-Session-Id": "secret", "X-Shown": "shown",
    }  # fmt: skip
    arbiter.cfg.set("accesslog", "-")
    arbiter.log.setup(arbiter.cfg)
    request = types.SimpleNamespace(
        headers=HTTPHeaders(asked), remote_ip="192.0.2.1", method="GET", path="/app", version="HTTP/1.1",
        request_time=lambda: 0.25,
    )  # fmt: skip
    handler = types.SimpleNamespace(
        request=request, get_status=lambda: 404, _headers=HTTPHeaders({"Content-Length": "12"})
    )
    arbiter.cfg.set(
        "access_log_format", '%(h)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s "%(q)s" %({x-shown}i)s %({cookie}i)s'
    )
    output = io.StringIO()
    sink = logging.StreamHandler(output)
    arbiter.log.access_log.addHandler(sink)
    arbiter.log.access_log.setLevel(logging.INFO)
    try:
        arbiter.worker()._log_access(handler)
    finally:
        arbiter.log.access_log.removeHandler(sink)
    assert output.getvalue() == '192.0.2.1 "GET /app HTTP/1.1" 404 12 "http://host/from" "Mozilla" 250000 "" shown -\n'


def test_the_main_process_takes_the_meeting_place_away_at_its_end(arbiter: Arbiter) -> None:
    worker = arbiter.worker()
    runtime_dir = worker._runtime_dir
    assert (
        isinstance(runtime_dir, RuntimeDir) and runtime_dir.folder.is_dir() and arbiter.at_exit == [runtime_dir.remove]
    )
    assert arbiter.worker()._runtime_dir is runtime_dir and len(arbiter.at_exit) == 1
    assert worker._number_of_newest() == 1  # of the second, counted from 0
