"""`app-server status [PID or URL]`: a running server in the terminal, refreshing."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app_server import system
from app_server.cli.command import Choices, Command, Flag, Word, switch
from app_server.cli.running.choosing import RunningServer, at_terminal, choose, describe, port_in
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.observe import exposition, screen
from app_server.observe.reading import snapshot_from
from app_server.observe.snapshots import merge
from app_server.processes import ipc
from app_server.processes.runtime_dir import RuntimeDir, running

Look = Callable[[], dict[str, Any]]

ANSWER_S = 1.0
TIMEOUT_S = 5.0
REFRESH_S = 1.0


def servers(before: Sequence[str], environ: Mapping[str, str]) -> Choices:
    """The main processes of this user's servers, for completion."""
    found = (describe(RunningServer(*each), ask) for each in running(environ))
    return {str(each.server.main): each.summary for each in found}


PORT = Flag(names=("--port",), metavar="N", help="the server that listens on this port")

COMMAND = Command(
    forms=("[PID|URL] [--port N] [--once] [--json]",),
    text="Show a running server in the terminal. Without a PID it is the only server of this user; of several, it "
    "asks for one. A URL is the address of a server with --metrics.",
    examples=("app-server status", "app-server status http://localhost:5006 --once"),
    words=(Word(name="target", metavar="PID|URL", help="the server, if several are running", candidates=servers),),
    flags=(
        PORT,
        switch("--once", "print it once; at a terminal it is refreshed until Ctrl-C"),
        switch("--json", "print all figures as JSON, once"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What shows the server: the only one of this user, the one with this process id, or the one at this address."""
    as_json = "json" in namespace
    if not as_json:
        screen.check()
    look = look_on(namespace, environ) if "port" in namespace else look_at(namespace.target, environ)
    once = as_json or "once" in namespace or not sys.stdout.isatty()
    return partial(run, look, as_json=as_json, once=once)


def run(look: Look, *, as_json: bool, once: bool) -> int:
    """Show the server once, or until Ctrl-C."""
    snapshot = look()
    if as_json:
        say(json.dumps(snapshot, indent=2))
        return 0
    from rich.console import Console

    console = Console()
    where = snapshot["url"]
    if once:
        before = snapshot
        time.sleep(REFRESH_S)  # without a moment before there are no rates
        console.print(screen.screen(look(), before, where, console.width))
        return 0
    return watch(look, snapshot, console)


def watch(look: Look, snapshot: dict[str, Any], console: Any) -> int:
    """Refresh it each second until Ctrl-C, or until the server has ended."""
    from rich.live import Live

    before: dict[str, Any] | None = None
    where = snapshot["url"]
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        try:
            while True:
                live.update(screen.screen(snapshot, before, where, console.width), refresh=True)
                time.sleep(REFRESH_S)
                before, snapshot = snapshot, look()
        except KeyboardInterrupt:
            return 0


def look_at(target: str, environ: Mapping[str, str]) -> Look:
    """What takes a snapshot of the server that `target` names. OperatorError if it names none, or several."""
    if target.startswith(("http://", "https://")):
        exposition.check()
        return partial(fetch, target)
    if target and not target.isdigit():
        hint = "Give its process id, or the http:// address of a server with --metrics."
        raise OperatorError("is neither a process nor an address", where=target, hint=hint)
    if target:
        return partial(ask, server_of(int(target), environ))
    hint = "Name its process, or the http:// address of a server with --metrics."
    return partial(ask, only_server(environ, "status", hint))


def look_on(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Look:
    """What takes a snapshot of the server on the port that was typed. OperatorError if there is none."""
    if namespace.target:
        hint = "Leave one of them out."
        raise OperatorError("cannot be used with a process or an address", where="--port", hint=hint)
    return partial(ask, server_on(port_typed(namespace.port[0]), environ, "status"))


def only_server(environ: Mapping[str, str], where: str, hint: str) -> RunningServer:
    """The only server of this user, or the one that is chosen at the terminal. OperatorError if there is none."""
    found = [RunningServer(*each) for each in _servers(environ, where)]
    if not found:
        raise OperatorError("no server of this user is running", where=where, hint=hint)
    if len(found) == 1:
        return found[0]
    return choose([describe(server, ask) for server in found], where, asks=at_terminal())


def _servers(environ: Mapping[str, str], where: str) -> Iterator[tuple[int, RuntimeDir]]:
    """This user's running servers. OperatorError if none can be asked."""
    hint = "Stop a server with Ctrl-C; `app-server status http://HOST:PORT` reads the figures of one with --metrics."
    system.require(system.has_unix_sockets(), "Unix sockets", where=where, hint=hint)
    return running(environ)


def port_typed(word: str) -> int:
    """The number of a port. OperatorError for another word."""
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise OperatorError(f"expected a number, not {word[:40]!r}", where="--port")
    return int(word)


def server_on(port: int, environ: Mapping[str, str], where: str) -> RunningServer:
    """This user's server that listens on this port. OperatorError that names the others if none does."""
    found = [describe(RunningServer(*each), ask) for each in _servers(environ, where)]
    for each in found:
        if port_in(each.url) == port:
            return each.server
    others = f"; there are {', '.join(each.about for each in found)}" if found else ""
    hint = f"Name its process instead: app-server {where} PID"
    raise OperatorError(f"no server of this user listens on port {port}{others}", where="--port", hint=hint)


def server_of(pid: int, environ: Mapping[str, str]) -> RunningServer:
    """The server that this process belongs to. OperatorError if it belongs to none."""
    for main, runtime_dir in _servers(environ, f"process {pid}"):
        if pid == main or pid in (
            RuntimeDir.process_of(socket_path.name)[1] for socket_path in runtime_dir.socket_paths()
        ):
            return RunningServer(main, runtime_dir)
    for process in (pid, *children_of(pid)):
        for folder in socket_folders(process):
            # A service may have a /tmp of its own; and through a descriptor no path is too long for a socket.
            inside = os.open(f"/proc/{process}/root{folder}", os.O_PATH | os.O_DIRECTORY)
            return RunningServer(int(folder.name), RuntimeDir(Path(f"/proc/self/fd/{inside}")))
    hint = "If it belongs to another user, run the command as that user."
    raise OperatorError("no server of this user has this process", where=str(pid), hint=hint)


def children_of(pid: int) -> list[int]:
    """The processes that this one has started; empty if the system does not say."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def socket_folders(pid: int) -> list[Path]:
    """The folders of the sockets on which this process listens to its peers, as paths of that process."""
    try:
        mine = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        lines = Path(f"/proc/{pid}/net/unix").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    # Num RefCount Protocol Flags Type St Inode Path (proc_pid_net(5))
    sockets = [fields for fields in (line.split(None, 7) for line in lines[1:]) if len(fields) == 8]
    paths = [Path(fields[7]) for fields in sockets if f"socket:[{fields[6]}]" in mine]
    # A socket is bound under another name than it has in the end: .worker-0-4711
    own = [path for path in paths if path.name.startswith((".worker-", "worker-"))]
    return [path.parent for path in own if path.parent.name.isdigit()]


def ask(server: RunningServer) -> dict[str, Any]:
    """What the processes of this server report. OperatorError if it has ended."""
    socket_paths = server.runtime_dir.socket_paths()
    answers = asyncio.run(ipc.ask_all(socket_paths, {"question": "observe"}, ANSWER_S))
    living = [answer for answer in answers if answer is not None]
    silent = [
        socket_path.name.removeprefix("worker-")
        for socket_path, answer in zip(socket_paths, answers, strict=True)
        if answer is None
    ]
    if not socket_paths or not living and not alive(server.main):
        raise OperatorError("the server has ended", where=f"process {server.main}")
    url = next((str(answer["url"]) for answer in living), "a server that does not answer")
    return {"url": f"{url} (process {server.main})", **merge(living, silent)}


def alive(pid: int) -> bool:
    """Whether this process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def fetch(address: str) -> dict[str, Any]:
    """What the server at this address reports at /metrics. OperatorError if it does not answer."""
    url = address if address.rstrip("/").endswith("/metrics") else f"{address.rstrip('/')}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            text = answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        error.close()
        hint = "Start the server with --metrics, and ask it directly: it does not answer through a proxy."
        raise OperatorError(f"answered with status {error.code}", where=url, hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise OperatorError(f"cannot be reached: {reason}", where=url) from None
    return {"url": address, **snapshot_from(text, taken_s=time.time(), where=url)}
