"""How a load test goes on: a table that grows at a terminal, and lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from app_server.load.meter import Measured
from app_server.load.ramp import Limits, Why, judge
from app_server.load.report.text import HEADINGS, cells, table
from app_server.load.run import Progress


@contextmanager
def progress_for(url: str, limits: Limits, environ: Mapping[str, str]) -> Iterator[Progress]:
    """What shows the progress on stderr: a table of rich if that is installed and someone is watching."""
    live = _live() if sys.stderr.isatty() and environ.get("TERM") != "dumb" else None
    if live is None:
        yield _Lines(url).show
        return
    with live:
        yield lambda now, stages: live.update(screen(url, limits, now, stages), refresh=True)


def _live() -> Any:
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError:
        return None
    return Live(console=Console(stderr=True), auto_refresh=False, transient=True)


def screen(url: str, limits: Limits, now: str, stages: Sequence[Measured]) -> Any:
    """The table of rich for all stages so far; those that were too much are red."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        drawn.add_column(heading, no_wrap=True, justify="right")
    for stage in stages:
        drawn.add_row(*cells(stage), style="" if judge(stage, limits) is Why.NONE else "bold red")
    return Group(Text(f"{url}  {now}", style="bold"), drawn)


class _Lines:
    """A line for each stage."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._shown = 0

    def show(self, now: str, stages: Sequence[Measured]) -> None:
        """Print the stages that are new."""
        lines = list(table(stages))
        if not self._shown and not stages:
            self._print(f"Testing {self._url} ...")
        for line in lines[self._shown :]:
            self._print(line)
        self._shown = max(self._shown, len(lines))

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
