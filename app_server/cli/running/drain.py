"""`app-server drain [PID]`: stop a running server once its sessions have ended."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.command import Command, Word, switch
from app_server.cli.running.choosing import RunningServer
from app_server.cli.running.status import PORT, alive, ask, only_server, port_typed, server_of, server_on, servers
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.observe.snapshots import totals

LOOK_S = 0.5
_WHERE = "drain"


COMMAND = Command(
    forms=("[PID] [--port N] [--wait]",),
    text="Stop a running server once its sessions have ended. It accepts no new sessions; existing ones "
    "continue for as long as the server's --drain says. If several servers are running, it asks for one.",
    examples=("app-server drain --wait",),
    words=(Word(name="target", metavar="PID", help="the server, if several are running", candidates=servers),),
    flags=(
        PORT,
        switch("--wait", "show what is left until the server has stopped"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What drains the server: the one with this process id, the one on this port, or the only one of this user."""
    port = port_typed(namespace.port[0]) if "port" in namespace else None
    target = namespace.target
    if target and not (target.isascii() and target.isdigit() and len(target) < 10):
        raise OperatorError(f"expected a number, not {target[:40]!r}", where="PID")
    if port is not None and target:
        raise OperatorError("cannot be used with a process id", where="--port", hint="Leave one of them out.")
    if port is not None:
        server = server_on(port, environ, _WHERE)
    elif target:
        server = server_of(int(target), environ)
    else:
        server = only_server(environ, _WHERE, "Name its process: app-server drain PID")
    return partial(run, server, wait="wait" in namespace)


def run(server: RunningServer, *, wait: bool) -> int:
    """Signal the server to stop after its last session; with `wait`, print what is left until it has stopped."""
    before = left(server)
    try:
        os.kill(server.main, signal.SIGTERM)
    except ProcessLookupError:
        raise OperatorError("the server has ended", where=f"process {server.main}") from None
    except PermissionError:
        hint = "Run the command as that user."
        raise OperatorError("belongs to another user", where=f"process {server.main}", hint=hint) from None
    say(f"process {server.main} accepts no new sessions; {before}")
    shown = before
    # The folder goes with the server; its process may stay for a while longer, until its parent has heard of its end.
    while wait and alive(server.main) and server.runtime_dir.folder.exists():
        time.sleep(LOOK_S)
        now = left(server)
        if now and now != shown:
            say(now)
            shown = now
    if wait:
        say(f"process {server.main} has ended")
    return 0


def left(server: RunningServer) -> str:
    """The sessions and connections that are left, in words; "" if the server does not answer."""
    try:
        snapshot = ask(server)
    except OperatorError:
        return ""
    counts = [numbers["now"] for numbers in totals(snapshot).values()]
    sessions = sum(int(count["sessions"]) for count in counts)
    connections = sum(int(count["connections"]) for count in counts)
    return f"{_counted(sessions, 'session')} with {_counted(connections, 'connection')} left"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
