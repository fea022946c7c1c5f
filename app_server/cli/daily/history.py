"""`app-server deploy history`: who has done what to a deployment, and what came of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Flag, switch
from app_server.cli.deployments.flags import OF_A_FILE
from app_server.cli.deployments.loading import need_deployment_packages, read
from app_server.cli.deployments.stores import STORE, store_of
from app_server.cli.terminal import say
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.rollout.history import Entry

SHOWN = 20

COMMAND = Command(
    forms=("[-f FILE] [-e NAME] [--lines N] [--json]",),
    text="Show who has released what of a deployment, when, from which revision of git, and what came of it: also what "
    "was restored, and when the site was closed for maintenance.",
    examples=("app-server deploy history",),
    flags=(
        *OF_A_FILE,
        STORE,
        Flag(names=("--lines",), metavar="N", help="only the last N; 0 for all", default=str(SHOWN)),
        switch("--json", "print it as JSON"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What shows the history."""
    need_deployment_packages()
    loaded = read(namespace)
    store = store_of(namespace, Path(loaded.file).absolute().parent, loaded.spec.name)
    return partial(run, store.folder, lines_wanted(namespace, SHOWN), as_json="json" in namespace)


def lines_wanted(namespace: argparse.Namespace, default: int | None) -> int | None:
    """The number that --lines gives, None for all. OperatorError for another word."""
    if "lines" not in namespace:
        return default
    word = namespace.lines[0]
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise OperatorError(f"expected a number, not {word[:40]!r}", where="--lines")
    return int(word) or None


def run(folder: Path, shown: int | None, *, as_json: bool) -> int:
    """Show the history; 0."""
    from app_server.deployment.rollout.history import read as entries_of

    entries = entries_of(folder)
    if not entries:
        raise OperatorError("nothing was rolled out from here yet", where=str(folder))
    entries = entries[-shown:] if shown else entries
    say(json.dumps([asdict(each) for each in entries], indent=2) if as_json else "\n".join(as_lines(entries)))
    return 0


def as_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """The history as a table, the latest first, each failure with its reason below it."""
    from app_server.deployment.daily.states import aligned

    head = ("WHEN", "WHO", "TARGET", "WHAT", "RELEASE", "REVISION", "RESULT")
    latest = list(reversed(entries))
    lines = aligned([head, *map(_row, latest)])
    yield lines[0]
    for entry, line in zip(latest, lines[1:], strict=True):
        yield line
        if entry.error:
            yield f"    {entry.error}"


def _row(entry: Entry) -> tuple[str, ...]:
    from app_server.deployment.progress.progress import duration
    from app_server.deployment.releases.kept import shown_as

    took = "" if entry.seconds is None else f" in {duration(entry.seconds)}"
    when = entry.at[:19].replace("T", " ")
    release = shown_as(entry.release, entry.name)
    return when, entry.by, entry.target, entry.action, release, entry.revision, f"{entry.result}{took}"
