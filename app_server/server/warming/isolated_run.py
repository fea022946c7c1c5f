"""Runs an application once in a process of its own: whatever it does there, the process that asked goes on."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, replace

from app_server import system
from app_server.apps import Application
from app_server.engine import containment
from app_server.engine.lifecycle import UNOBSERVED
from app_server.engine.warmup import WARMUP_ID
from app_server.errors import AppServerError
from app_server.processes.forking import forks
from app_server.server.once.setup import set_up
from app_server.server.server import Server
from app_server.server.warming.failure import Failure
from app_server.server.warming.warmup import FirstVisit, time_for
from app_server.settings import Settings

_HOOKS_S = 10.0
"""How much longer the process may take than the application: for the hooks at its start and end."""

_READ_BYTES = 65536


def warm_up_isolated(applications: Mapping[str, Application], settings: Settings) -> None:
    """Run each of these applications once; one that fails is logged, and is served all the same."""
    for route, application in applications.items():
        failure = run_isolated(route, application, settings, time_for(settings, len(applications)))
        if failure is not None:
            failure.log(route)


def run_isolated(
    route: str, application: Application, settings: Settings, limit_s: float, *, sets_up: bool = False
) -> Failure | None:
    """Why this application fails when it is run once, with its hooks; None if it does not.

    It fails also if it takes longer than `limit_s` seconds, 0 for no limit. With `sets_up`, the setup file runs before.
    Call it in a process without threads. If there can be no other process, it runs in this one, which it may end.
    """
    if not system.can_fork():
        return containment.run(_life(route, application, settings, limit_s, sets_up=sets_up))
    ours, theirs = socket.socketpair()
    with ours:
        pid = forks.fork(lambda: _report(route, application, settings, limit_s, theirs, ours, sets_up=sets_up))
        theirs.close()
        said = _read_line(ours, limit_s + _HOOKS_S if limit_s else None)
        if said is None:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if said:
        return None if said == b"null" else Failure(**json.loads(said))
    if said is None:
        return Failure(f"did not return within {limit_s:.3g} s, and could not be interrupted")
    exited = forks.describe_exit(os.waitstatus_to_exitcode(status))
    return Failure(f"ended the process that it was run in, with {exited}")


def _read_line(sock: socket.socket, patience_s: float | None) -> bytes | None:
    """The line that comes from the other end, without its end; empty if it closes, None if nothing comes in time."""
    ready = select.poll()
    ready.register(sock, select.POLLIN)
    end_s = None if patience_s is None else time.monotonic() + patience_s
    said = b""
    while not said.endswith(b"\n"):
        if not ready.poll(None if end_s is None else max(0.0, end_s - time.monotonic()) * 1000):
            return None
        received = sock.recv(_READ_BYTES)
        if not received:
            return b""
        said += received
    return said[:-1]


def _report(
    route: str,
    application: Application,
    settings: Settings,
    limit_s: float,
    sock: socket.socket,
    parents: socket.socket,
    *,
    sets_up: bool,
) -> int:
    """Run the application, and say on the socket why it failed; the exit status of this process."""
    parents.close()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the time limit uses it, and nothing else here
    forks.end_with_parent()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    failure = containment.run_in(loop, _life(route, application, settings, limit_s, sets_up=sets_up))
    sock.sendall(json.dumps(None if failure is None else asdict(failure)).encode() + b"\n")
    return 0


async def _life(
    route: str, application: Application, settings: Settings, limit_s: float, *, sets_up: bool
) -> Failure | None:
    """The life of a server that has one visitor; why the application has failed in it."""
    try:
        if sets_up:
            set_up(settings, [application])
        server = _server(route, application, settings)
    except AppServerError as error:
        return Failure.of(error)
    (runtime,) = server.state.runtimes
    await server.start_isolated()
    failure = None
    try:
        await runtime.warm_up(FirstVisit(server.state, runtime), limit_s)
    except AppServerError as error:
        failure = Failure.of(error)
    await server.stop()
    return Failure(runtime.hook_fault) if failure is None and runtime.hook_fault else failure


def _server(route: str, application: Application, settings: Settings) -> Server:
    """A server of this application only, to which no one logs in, and which saves nothing."""
    loop = asyncio.get_running_loop()
    plain = replace(
        settings, store="off", dev=False, auth_module=None, basic_auth=None, auth_header=None, oidc_issuer=None,
        ssl_certfile=None, ssl_keyfile=None, ssl_password=None, allow_websocket_origin=("localhost",),
    )  # fmt: skip
    server = Server({route: application}, plain, loop)
    isolated = (application.isolation or settings.isolation) != "none"
    if isolated:
        server = server.for_sessions(route, None)
        server.begin_session(WARMUP_ID, UNOBSERVED)
    return server
