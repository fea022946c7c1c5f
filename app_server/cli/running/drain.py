"""`app-server drain [PID]`: stop a running server once its sessions have ended."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.running.status import RunningServer, alive, ask, server_of, servers, several
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.observe.snapshots import totals
from app_server.processes.runtime_dir import running

LOOK_S = 0.5
_WHERE = "drain"


COMMAND = Command(
    forms=("[PID] [--port N] [--wait]",),
    text="Stop a running server once its sessions have ended. It accepts no new sessions; existing ones "
    "continue for as long as the server's --drain says.",
    examples=("app-server drain --wait",),
    words=(Word(name="target", metavar="PID", help="the server, if several are running", candidates=servers),),
    flags=(
        Flag(names=("--port",), metavar="N", help="the server that listens on this port"),
        switch("--wait", "show what is left until the server has stopped"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What drains the server: the only one of this user, the one with this process id, or the one on this port."""
    port = namespace.port[0] if "port" in namespace else None
    for word, flag in ((port, "--port"), (namespace.target or None, "PID")):
        if word is not None and not (word.isascii() and word.isdigit() and len(word) < 10):
            raise OperatorError(f"expected a number, not {word[:40]!r}", where=flag)
    if port is not None and namespace.target:
        raise OperatorError("cannot be used with a process id", where="--port", hint="Leave one of them out.")
    server = server_on(int(port), environ) if port is not None else find(namespace.target, environ)
    return partial(run, server, wait="wait" in namespace)


def find(target: str, environ: Mapping[str, str]) -> RunningServer:
    """The server with this process id, or the only one. OperatorError if there is none, or several."""
    if target:
        return server_of(int(target), environ)
    found = list(running(environ))
    if not found:
        hint = "Name its process: app-server drain PID"
        raise OperatorError("no server of this user is running", where=_WHERE, hint=hint)
    if len(found) > 1:
        pids = several(found)
        raise OperatorError(f"several servers are running: {pids}", where=_WHERE, hint="Name one: app-server drain PID")
    return RunningServer(*found[0])


def server_on(port: int, environ: Mapping[str, str]) -> RunningServer:
    """This user's server that listens on this port. OperatorError if none does."""
    for main, runtime_dir in running(environ):
        server = RunningServer(main, runtime_dir)
        if port_of(server) == port:
            return server
    raise OperatorError(f"no server of this user listens on port {port}", where="--port",
                        hint="Name its process instead: app-server drain PID")  # fmt: skip


def port_of(server: RunningServer) -> int | None:
    """The port that the server reports; None if it has none, or does not answer."""
    try:
        return urlsplit(str(ask(server)["url"]).split(" ")[0]).port
    except (OperatorError, ValueError):
        return None


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
