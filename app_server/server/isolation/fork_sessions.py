"""The process from which isolated sessions are forked."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from socket import socket

from app_server.apps import Application, Hooks
from app_server.engine.local import Snapshot
from app_server.errors import AppServerError
from app_server.guests.tasks import TASKS
from app_server.http.listeners import Listening
from app_server.processes.forking import forks
from app_server.processes.forking.busy_table import BusyTable
from app_server.processes.forking.fork_server import ForkServer
from app_server.processes.forking.worker import CANNOT_START, Task
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server.isolation.plan import limits_of
from app_server.server.isolation.sample_sessions import serve_sample_sessions
from app_server.server.isolation.session_process import live, prepare_to_live
from app_server.server.isolation.snapshot import Unsound, take
from app_server.server.once.setup import set_up
from app_server.server.server import Server
from app_server.server.warming.isolated_run import warm_up_isolated
from app_server.server.warming.warmup import time_for
from app_server.settings import Settings

log = logging.getLogger(__name__)

_SOUND = b"+"
_LONGEST_REASON = 2000


def fork_sessions(
    applications: Mapping[str, Application],
    settings: Settings,
    runtime_dir: RuntimeDir,
    task: Task,
    sockets: Sequence[socket],
    *,
    copied: bool,
    warms: bool,
    marks: Sequence[BusyTable],
) -> int:
    """Be the process that the sessions of these applications are forked from, until a signal; its exit status.

    With `copied` the only application starts first, and sessions are copies of that. With `warms` the applications are
    run once before. `sockets` are those that the
    server listens on, which no session gets. `marks` is the memory that this process shares with its
    sessions', the last one, and that of its predecessors, whose sessions may still be there.
    """
    # The process that ends TLS has the key; a session's process does not need it.
    settings = replace(settings, ssl_certfile=None, ssl_keyfile=None, ssl_password=None)
    closed_loop = asyncio.new_event_loop()
    closed_loop.close()
    server = Server(applications, settings, closed_loop, Listening(Listening.shared(settings, sockets).port))
    for sock in sockets:
        sock.close()
    try:
        set_up(settings, applications.values())
    except AppServerError as error:
        log.error("%s", error)
        return CANNOT_START
    TASKS.leave_to_others()
    _import_ahead(applications.values())
    serve_sample_sessions()
    server.state.pages.bundles.get(server.state.pages.root_url)
    prepare_to_live()

    def run(snapshot: Snapshot | None = None) -> int:
        if warms and snapshot is None:
            warm_up_isolated(applications, settings)
        server_of = cache(partial(server.for_sessions, snapshot=snapshot))
        if settings.store == "off":  # a store is opened after the fork
            for route in applications:
                server_of(route)
        leave_s = partial(_leave_s, settings)
        page = _page_of_all(server, snapshot)
        try:
            return ForkServer(
                runtime_dir, task, limits_of(settings), partial(live, server_of), leave_s, marks, page
            ).run()
        except AppServerError as error:
            log.error("%s", error)
            return CANNOT_START

    runtime_dir.page(task.slot).unlink(missing_ok=True)
    return _started_once(server, run) if copied else run()


def _page_of_all(server: Server, snapshot: Snapshot | None) -> bytes | None:
    """The page of every new session, in pieces, for the processes that take connections.

    Its session begins with its socket. None where sessions' pages differ, or where a hook is to see the page's request.
    """
    runtime = server.state.runtimes[0]
    prepared = None if snapshot is None else snapshot.prepared
    if prepared is None or runtime.application.hooks.process_request is not Hooks().process_request:
        return None
    return json.dumps([piece.decode() for piece in prepared.page]).encode()


def _started_once(server: Server, run: Callable[[Snapshot | None], int]) -> int:
    """What `run` returns in a process in which the application has started, or in this one if that is unsound.

    The other process is tried first, so this one stays as it was.
    """
    (runtime,) = server.state.runtimes
    verdict, report = os.pipe()

    def attempt() -> int:
        os.close(verdict)
        forks.end_with_parent()  # the application may never return
        try:
            snapshot = take(server.state, runtime, time_for(server.settings, 1) if server.settings.warm else 0.0)
        except Unsound as unsound:
            with suppress(BrokenPipeError):  # the server was stopped meanwhile
                os.write(report, str(unsound).encode()[:_LONGEST_REASON])
            return 0
        forks.outlive_parent()
        os.write(report, _SOUND)
        os.close(report)
        return run(snapshot)

    pid = forks.fork(attempt)
    os.close(report)
    reason = os.read(verdict, _LONGEST_REASON)
    os.close(verdict)
    if reason == _SOUND:
        return _guard(pid)
    os.waitpid(pid, 0)
    why = reason.decode(errors="replace") or "ends the process in which it starts"
    log.warning("%s: cannot use snapshots, falling back to --isolation process: the application %s", runtime.name, why)
    return run(None)


def _guard(pid: int) -> int:
    """Pass signals on to this process until it ends; its exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _leave_s(settings: Settings, number: int) -> float:
    return settings.drain_deadline_s + (settings.drain_s if number == signal.SIGTERM else 0)


def _import_ahead(applications: Iterable[Application]) -> None:
    """Import what the applications will import, once for all sessions; what fails is theirs to find out."""
    for name in sorted({name for application in applications for name in application.modules}):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:  # `from x import y` names what need not be a module
            log.debug("%s is not imported ahead: %s", name, error)
        except Exception as error:
            log.warning("%s cannot be imported ahead; each session tries it again: %s", name, error)
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        log.warning(
            "What the applications import has started threads (%s), which their sessions' processes do not have",
            ", ".join(others),
        )
