"""How a command that builds or rolls out shows what it does: as lines, as JSON, or not at all."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app_server.cli.command import switch
from app_server.cli.terminal import replacing, say
from app_server.errors import AppServerError, OperatorError

if TYPE_CHECKING:
    from app_server.deployment.progress.progress import Progress, Show

GROUP = "What it prints"
REPORTING = (
    switch("--quiet", "print nothing but errors", group=GROUP, short="-q"),
    switch("--verbose", "also print what docker or ansible prints", group=GROUP, short="-v"),
    switch("--json", "print a line of JSON for each step, and one at the end", group=GROUP),
)
"""The flags of commands that build or roll out."""


def check_reporting(namespace: argparse.Namespace) -> None:
    """Raise OperatorError for flags that exclude each other."""
    for name in ("verbose", "json"):
        if "quiet" in namespace and name in namespace:
            raise OperatorError("cannot be used with --quiet", where=f"--{name}", hint="Leave one of them out.")


def progress_of(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Progress:
    """What shows the progress as the command line wants it."""
    from app_server.deployment.progress.progress import Progress

    return Progress(_show(namespace, environ))


def _show(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Show:
    from app_server.deployment.progress.shown import JsonLines, Lines, quiet

    if "quiet" in namespace:
        return quiet
    if "json" in namespace:
        return JsonLines(say, now, verbose="verbose" in namespace)
    return Lines(say, verbose="verbose" in namespace, while_on=replacing(sys.stdout, environ))


def now() -> str:
    """The time of day, as lines of JSON have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def with_end(namespace: argparse.Namespace, run: Callable[[], int]) -> Callable[[], int]:
    """What runs the command, and with --json prints a last line with its result."""
    if "json" not in namespace:
        return run

    def and_say() -> int:
        try:
            status = run()
        except AppServerError as error:
            say(json.dumps({"time": now(), "event": "end", "result": "failed", "error": str(error)}))
            raise
        say(json.dumps({"time": now(), "event": "end", "result": "failed" if status else "done"}))
        return status

    return and_say
