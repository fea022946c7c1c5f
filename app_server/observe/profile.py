"""Where the time of a session's callbacks went: a tree of calls, made of samples of a thread's stack."""

from __future__ import annotations

import math
import os
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MOST_CALLS: Final = 1500
"""How many calls a profile tells apart; what comes after them is counted as their caller's own time."""

_DEEPEST: Final = 120
_LONGEST_TEXT: Final = 300
_SERVER: Final = str(Path(__file__).resolve().parents[1]) + os.sep
_TURNS: Final = tuple(f"{_SERVER}engine/{name}.py" for name in ("turns/queue", "running", "hooks"))
"""What a session's work begins with."""

_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD: Final = sysconfig.get_path("stdlib") + os.sep
_ROOT: Final = "all callbacks"


@dataclass(frozen=True, slots=True)
class Call:
    """A function on a stack: its name, its file, and the line at which it begins."""

    name: str
    file: str
    line: int

    @property
    def is_servers(self) -> bool:
        """Whether it is the server's own code, or what runs that: Python's event loop and its start."""
        return self.file.startswith((_SERVER, "<frozen ")) or f"{os.sep}asyncio{os.sep}" in self.file

    @property
    def is_library(self) -> bool:
        """Whether it is not the application's own code."""
        return self.is_servers or self.file.startswith(_STANDARD) or any(mark in self.file for mark in _INSTALLED)


@dataclass(slots=True)
class Node:
    """A call by one caller: the seconds in it and all that it has called, and those in itself."""

    call: Call
    total_s: float = 0.0
    own_s: float = 0.0
    children: dict[Call, Node] = field(default_factory=dict)

    def spend(self, duration_s: float, *, itself: bool) -> None:
        """It took this long, in itself or in what it has called."""
        if itself:
            self.own_s += duration_s
        else:
            self.total_s += duration_s


class ProfileTree:
    """Adds samples up, of a bounded number of calls."""

    def __init__(self) -> None:
        self.root = Node(Call(_ROOT, "", 0))
        self._left = MOST_CALLS

    def add(self, stack: Sequence[Call], duration_s: float) -> None:
        """The thread was here for this long; the innermost call is the last."""
        node = self.root
        node.spend(duration_s, itself=False)
        for call in applications_part(stack)[:_DEEPEST]:
            below = node.children.get(call)
            if below is None:
                if not self._left:
                    break
                self._left -= 1
                below = node.children[call] = Node(call)
            below.spend(duration_s, itself=False)
            node = below
        node.spend(duration_s, itself=True)

    def as_json(self) -> list[list[Any]]:
        """Each call as `[caller's place in this list, name, file, line, seconds, seconds in itself]`; -1 for none."""
        rows: list[list[Any]] = []
        waiting = [(-1, self.root)]
        while waiting:
            above, node = waiting.pop()
            call = node.call
            text = (call.name[:_LONGEST_TEXT], call.file[-_LONGEST_TEXT:])
            rows.append([above, *text, call.line, round(node.total_s, 6), round(node.own_s, 6)])
            waiting += [(len(rows) - 1, child) for child in node.children.values()]
        return rows


def applications_part(stack: Sequence[Call]) -> Sequence[Call]:
    """The stack from the application's first own function on: what leads to it is the same for every callback.

    Without one, what the server has called in a library; of what it does by itself, such as encoding what the
    application has changed, only the innermost call.
    """
    turn = next((place for place, call in enumerate(stack) if call.file.endswith(_TURNS)), 0)
    own = (place for place in range(turn, len(stack)) if not stack[place].is_library)
    foreign = (place for place in range(turn, len(stack)) if not stack[place].is_servers)
    first = next(own, next(foreign, len(stack)))
    return stack[first:] or stack[-1:]


@dataclass(frozen=True, slots=True)
class Bar:
    """A call in a flame graph: `left_s` and `right_s` are seconds, `depth` is 0 at the root."""

    left_s: float
    right_s: float
    depth: int
    name: str
    where: str
    total_s: float
    own_s: float
    is_own: bool
    """whether it is the application's code"""


def flame(rows: Iterable[Any]) -> list[Bar]:
    """The bars of a profile, the widest first among those of one caller. Rows that make no sense are left out."""
    found: dict[int, list[tuple[int, Mapping[str, Any]]]] = {}
    for place, row in enumerate(rows):
        read = _read(row, place)
        if read is not None:
            found.setdefault(read["above"], []).append((place, read))
    bars: list[Bar] = []
    waiting = [(-1, 0.0, 0)]
    while waiting:
        above, left_s, depth = waiting.pop()
        for place, read in sorted(found.get(above, ()), key=lambda each: -each[1]["total_s"]):
            right_s = left_s + read["total_s"]
            bars.append(
                Bar(left_s, right_s, depth, read["name"], read["where"], read["total_s"], read["own_s"], read["is_own"])
            )
            waiting.append((place, left_s, depth + 1))
            left_s = right_s
    return bars


def _read(row: Any, place: int) -> Mapping[str, Any] | None:
    """A row, which may be another version's; None if it is none, or its caller does not come before it."""
    if not isinstance(row, list) or len(row) != 6:
        return None
    above, name, file, line, total_s, own_s = row
    if not isinstance(above, int) or not -1 <= above < place:
        return None
    if not all(isinstance(each, int | float) and math.isfinite(each) and each >= 0 for each in (total_s, own_s)):
        return None
    return {
        "above": above,
        "name": str(name),
        "where": f"{file}:{line}" if file else "",
        "total_s": float(total_s),
        "own_s": float(own_s),
        "is_own": bool(file) and not Call("", str(file), 0).is_library,
    }
