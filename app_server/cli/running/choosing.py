"""Which of several running servers is meant: what each is, and a question at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app_server.errors import OperatorError
from app_server.observe.snapshots import totals
from app_server.processes.runtime_dir import RuntimeDir

_MOST_APPLICATIONS = 4
"""How many applications are named of one server."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server on this machine: its main process, and the folder of its sockets."""

    main: int
    runtime_dir: RuntimeDir


@dataclass(frozen=True, slots=True)
class Described:
    """A server as people know it. `url` is "" if it does not answer."""

    server: RunningServer
    url: str
    applications: tuple[str, ...]
    sessions: int

    @property
    def place(self) -> str:
        """Its port, or its socket where it has no port."""
        port = port_in(self.url)
        return f"port {port}" if port is not None else self.url or "a server that does not answer"

    @property
    def about(self) -> str:
        """Its place, its applications and its process."""
        return f"{self.summary} (process {self.server.main})"

    @property
    def summary(self) -> str:
        """Its place and its applications."""
        return f"{self.place}{self._with}"

    @property
    def _with(self) -> str:
        shown = self.applications[:_MOST_APPLICATIONS]
        more = len(self.applications) - len(shown)
        named = ", ".join(shown) + (f" and {more} more" if more else "")
        return f" with {named}" if named else ""

    @property
    def row(self) -> tuple[str, ...]:
        """The same in columns, for a list."""
        sessions = f"{self.sessions} session{'' if self.sessions == 1 else 's'}" if self.url else ""
        return self.place, self._with.removeprefix(" with "), sessions, f"process {self.server.main}"


def port_in(url: str) -> int | None:
    """The port of what a server calls its address; None if it has none."""
    try:
        return urlsplit(url.split(" ")[0]).port
    except ValueError:
        return None


def describe(server: RunningServer, ask: Callable[[RunningServer], Mapping[str, Any]]) -> Described:
    """What the server says of itself."""
    try:
        snapshot = ask(server)
    except OperatorError:
        return Described(server, "", (), 0)
    if not snapshot["processes"]:
        return Described(server, "", (), 0)
    counts = totals(snapshot)
    sessions = sum(int(each["now"]["sessions"]) for each in counts.values())
    return Described(server, str(snapshot["url"]).split(" ")[0], tuple(sorted(counts)), sessions)


def at_terminal() -> bool:
    """Whether someone can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def choose(found: Sequence[Described], where: str, *, asks: bool) -> RunningServer:
    """The server that is chosen at the terminal. OperatorError that lists all of them without one."""
    if not asks:
        listed = ", ".join(each.about for each in found)
        hint = f"Name one: app-server {where} --port N, or its process."
        raise OperatorError(f"several servers are running: {listed}", where=where, hint=hint)
    sys.stderr.write("Several servers are running:\n")
    for number, line in enumerate(in_columns([each.row for each in found]), 1):
        sys.stderr.write(f"  {number}  {line}\n")
    sys.stderr.write(f"Which one? [1-{len(found)}] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if not (answer.isascii() and answer.isdigit() and 0 < int(answer[:6]) <= len(found)):
        what = f"{answer[:40]!r} is none of them" if answer else "no answer"
        raise OperatorError(f"{what}; nothing was done", where=where)
    return found[int(answer) - 1].server


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines, in which the columns begin below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([text.ljust(width) for text, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(each).rstrip() for each in cells]
