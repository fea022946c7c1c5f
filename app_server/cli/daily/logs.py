"""`app-server deploy logs`: the logs of all instances, each line with the name of its instance."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.daily.history import lines_wanted
from app_server.cli.daily.target import OF_A_DEPLOYMENT, Asked, asked
from app_server.cli.deployments.flags import FILE
from app_server.cli.terminal import close_stdout, note, paint_for
from app_server.errors import OperatorError
from app_server.settings import Arity

if TYPE_CHECKING:
    from app_server.deployment.daily.deployed import LogsWanted

SHOWN = 100
_COLOURS = (36, 33, 32, 35, 34, 31)
_AGE = re.compile(r"(\d{1,6})\s*(s|m|min|h|d)")
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
FOLLOW = "-f"

COMMAND = Command(
    forms=("[-f] [INSTANCE ...] [--since TIME] [flags]",),
    text="Print the logs of all instances of a deployment, each line with the name of its instance. With -f, go on "
    "until Ctrl-C, also when instances are replaced. The proxy's log is printed only if it is named.",
    examples=("app-server deploy logs -f", "app-server deploy logs a1 proxy --since 10m"),
    words=(Word(name="names", metavar="INSTANCE", help="only these instances, or proxy", many=True),),
    flags=(
        switch("--follow", "go on with new lines until Ctrl-C", short=FOLLOW),
        Flag(names=("--since",), metavar="TIME", help="only later lines: 30s, 10m, 2h, 3d, or 2026-11-29T14:00"),
        Flag(names=("--instance",), metavar="NAME", arity=Arity.REPEATED, help="the same as INSTANCE"),
        Flag(names=("--lines",), metavar="N", help="only the last N of each; 0 for all",
             default=f"{SHOWN}, all with --since"),
        switch("--json", "print each line as JSON"),
        replace(FILE, names=("--file",)),
        *OF_A_DEPLOYMENT[1:],
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the logs."""
    for word in namespace.names:
        if word.endswith((".yaml", ".yml")):
            hint = "Name the file with --file: -f follows the log here."
            raise OperatorError("is not an instance", where=word[:60], hint=hint)
    return partial(run, asked(namespace), wanted(namespace, time.time()), printer(namespace, environ))


def wanted(namespace: argparse.Namespace, now_s: float) -> LogsWanted:
    """The lines that are asked for."""
    from app_server.deployment.daily.deployed import LogsWanted

    since_s = since(namespace.since[0], now_s) if "since" in namespace else None
    lines = lines_wanted(namespace, None if since_s is not None else SHOWN)
    names = (*namespace.names, *getattr(namespace, "instance", ()))
    return LogsWanted(names, "follow" in namespace, lines, since_s)


def since(word: str, now_s: float) -> int:
    """A moment, in seconds since the epoch. OperatorError for what is none."""
    if (found := _AGE.fullmatch(word)) is not None:
        return int(now_s) - int(found[1]) * _UNITS_S[found[2]]
    with suppress(ValueError):
        return int(datetime.fromisoformat(word).timestamp())
    raise OperatorError(f"{word[:40]!r} is not a time", where="--since", hint="Such as 10m, 2h or 2026-11-29T14:00.")


Printer = Callable[[str, str], None]


def printer(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Printer:
    """What prints a line of an instance: with its name, in colour at a terminal, or as JSON."""
    if "json" in namespace:
        return _print_json
    coloured = paint_for(sys.stdout, environ).coloured
    widths: dict[str, int] = {}

    def show(name: str, text: str) -> None:
        number = widths.setdefault(name, len(widths))
        head = f"{name:<{max(map(len, widths))}} |"
        if coloured:
            head = f"\x1b[{_COLOURS[number % len(_COLOURS)]}m{head}\x1b[0m"
        print(head, text, flush=True)

    return show


def _print_json(name: str, text: str) -> None:
    print(json.dumps({"instance": name, "text": text}, ensure_ascii=False), flush=True)


def run(about: Asked, lines: LogsWanted, show: Printer) -> int:
    """Print the logs until they end, or until Ctrl-C; 1 if some could not be read."""
    from app_server.deployment.daily.following import follow

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    # Programs that were started must not outlive this one, however it is ended.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, end)
    try:
        return 0 if follow(about.deployed().logs(lines), show, complain) else 1
    except BrokenPipeError:
        close_stdout()
        return 0


def complain(fault: str) -> None:
    """Write a line on logs that cannot be read."""
    note(f"app-server: {fault}")
