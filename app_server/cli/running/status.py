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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app_server.cli.command import Choices, Command, Word, switch
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


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server on this machine: its main process, and the folder of its sockets."""

    main: int
    runtime_dir: RuntimeDir


def servers(before: Sequence[str], environ: Mapping[str, str]) -> Choices:
    """The main processes of this user's servers, for completion."""
    return {str(main): "a running server" for main, _ in running(environ)}


COMMAND = Command(
    forms=("[PID|URL] [--once] [--json]",),
    text="Show a running server in the terminal. Without a PID it is the only server of this user. A URL is the "
    "address of a server with --metrics.",
    examples=("app-server status", "app-server status http://localhost:5006 --once"),
    words=(Word(name="target", metavar="PID|URL", help="the server, if several are running", candidates=servers),),
    flags=(
        switch("--once", "print it once; at a terminal it is refreshed until Ctrl-C"),
        switch("--json", "print all figures as JSON, once"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What shows the server: the only one of this user, the one with this process id, or the one at this address."""
    as_json = "json" in namespace
    if not as_json:
        screen.check()
    look = look_at(namespace.target, environ)
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
    found = list(running(environ))
    if not found:
        hint = "Name its process, or the http:// address of a server with --metrics."
        raise OperatorError("no server of this user is running", where="status", hint=hint)
    if len(found) > 1:
        pids = several(found)
        hint = "Name one of them: app-server status PID"
        raise OperatorError(f"several servers are running: {pids}", where="status", hint=hint)
    return partial(ask, RunningServer(*found[0]))


def several(found: Sequence[tuple[int, RuntimeDir]]) -> str:
    """The process ids of these servers, each with its address if the server answers, for an error message."""
    return ", ".join(f"{pid}{_address_of(RunningServer(pid, runtime_dir))}" for pid, runtime_dir in found)


def _address_of(server: RunningServer) -> str:
    try:
        return f" ({str(ask(server)['url']).split(' ')[0]})"
    except OperatorError:
        return ""


def server_of(pid: int, environ: Mapping[str, str]) -> RunningServer:
    """The server that this process belongs to. OperatorError if it belongs to none."""
    for main, runtime_dir in running(environ):
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
