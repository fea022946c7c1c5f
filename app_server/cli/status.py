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
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.fleet import letters
from app_server.fleet.place import Place, running
from app_server.observe import exposition, screen
from app_server.observe.reading import snapshot_from
from app_server.observe.snapshots import merge

Look = Callable[[], dict[str, Any]]

ANSWER_S = 1.0
TIMEOUT_S = 5.0
REFRESH_S = 1.0


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What shows the server that is meant: the only one of this user, the one with this process, or at this address."""
    as_json = "json" in namespace
    if not as_json:
        screen.check()
    look = look_at(namespace.target, environ)
    once = as_json or "once" in namespace or not sys.stdout.isatty()
    return partial(run, look, as_json=as_json, once=once)


def run(look: Look, *, as_json: bool, once: bool) -> int:
    """Show it once, or until Ctrl-C."""
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
        console.print(screen.screen(look(), before, where))
        return 0
    return watch(look, snapshot, console)


def watch(look: Look, snapshot: dict[str, Any], console: Any) -> int:
    """Show it again each second until somebody has seen enough, or the server has ended."""
    from rich.live import Live

    before: dict[str, Any] | None = None
    where = snapshot["url"]
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        try:
            while True:
                live.update(screen.screen(snapshot, before, where), refresh=True)
                time.sleep(REFRESH_S)
                before, snapshot = snapshot, look()
        except KeyboardInterrupt:
            return 0


def look_at(target: str, environ: Mapping[str, str]) -> Look:
    """What takes a snapshot of the server that `target` means. OperatorError where it means none, or several."""
    if target.startswith(("http://", "https://")):
        exposition.check()
        return partial(fetch, target)
    if target and not target.isdigit():
        hint = "Give the number of its process, or the http:// address of a server with --metrics."
        raise OperatorError("is neither a process nor an address", where=target, hint=hint)
    if target:
        return partial(ask, place_of(int(target), environ))
    found = list(running(environ))
    if not found:
        hint = "Name its process, or the http:// address of a server with --metrics."
        raise OperatorError("no server of this user runs here", where="app-server status", hint=hint)
    if len(found) > 1:
        pids = ", ".join(str(pid) for pid, _ in found)
        hint = "Name one of them: app-server status PID"
        raise OperatorError(f"several servers run here: {pids}", where="app-server status", hint=hint)
    return partial(ask, found[0][1])


def place_of(pid: int, environ: Mapping[str, str]) -> Place:
    """Where the server meets to which this process belongs. OperatorError where it belongs to none."""
    for variables in (environ, environment_of(pid)):
        for main, place in running(variables):
            if pid == main or pid in (Place.process_of(box.name)[1] for box in place.boxes()):
                return place
    hint = "It may be another user's, or no app-server: use its user's account."
    raise OperatorError("no server of this user has this process", where=str(pid), hint=hint)


def environment_of(pid: int) -> dict[str, str]:
    """The environment in which a process was started, which may name another directory; {} where it may not be seen."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in (entry.partition(b"=") for entry in entries)}


def ask(place: Place) -> dict[str, Any]:
    """What the processes of this server say. OperatorError where it has ended."""
    boxes = place.boxes()
    answers = asyncio.run(letters.ask_all(boxes, {"question": "observe"}, ANSWER_S))
    silent = [box.name.removeprefix("box-") for box, answer in zip(boxes, answers, strict=True) if answer is None]
    living = [answer for answer in answers if answer is not None]
    if not boxes or not living and not alive(place):
        raise OperatorError("the server has ended", where=f"process {place.folder.name}")
    url = next((str(answer["url"]) for answer in living), "a server that does not answer")
    return {"url": f"{url} (process {place.folder.name})", **merge(living, silent)}


def alive(place: Place) -> bool:
    """Whether the server's main process is there."""
    try:
        os.kill(int(place.folder.name), 0)
    except ProcessLookupError:
        return False
    return True


def fetch(address: str) -> dict[str, Any]:
    """What the server at this address says at /metrics. OperatorError where it does not."""
    url = address if address.rstrip("/").endswith("/metrics") else f"{address.rstrip('/')}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            text = answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        error.close()
        hint = "Start the server with --metrics, and ask it directly: through a proxy it does not answer."
        raise OperatorError(f"answered with status {error.code}", where=url, hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise OperatorError(f"cannot be reached: {reason}", where=url) from None
    return {"url": address, **snapshot_from(text, taken_s=time.time(), where=url)}
