"""The processor time of a server's processes, and what it has used, counted and done in the last minutes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from app_server.observe.gauges import BOUNDS_S
from app_server.observe.snapshots import Snapshot, add, growth, memory_bytes, quantile, totals

SAMPLE_EVERY_S = 5.0
_POINTS = 180
"""A quarter of an hour."""

CHARTS = ("sessions", "messages", "cpu", "memory", "p99")
"""What each point has besides its time: sessions, messages a second, busy cores, bytes, and seconds."""

_UTIME = 11
"""The place of the user's time among the fields of proc_pid_stat(5) after the command's; three more follow it: the
system's time, and both of children that have ended."""


def tree_of(pid: int) -> Iterator[int]:
    """The process and all that descend from it."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from tree_of(int(child))


def cpu_s(pid: int) -> float:
    """The processor time of a process and its children that have ended, in seconds; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[_UTIME : _UTIME + 4])) / os.sysconf("SC_CLK_TCK")


class History:
    """The last quarter of an hour, in points."""

    def __init__(self) -> None:
        self._points: deque[Mapping[str, Any]] = deque(maxlen=_POINTS)
        self._before: tuple[float, float, dict[str, Any]] | None = None

    def sample(self, snapshot: Snapshot, used_cpu_s: float, now_s: float) -> None:
        """Note how the server is at this time, in seconds since the epoch."""
        ever: dict[str, Any] = {}
        sessions = 0
        for gauges in totals(snapshot).values():
            sessions += gauges["now"].get("sessions", 0)
            counted = {"messages": gauges["ever"]["messages_in"], "round_trip": gauges["ever"]["round_trip"]}
            ever = add(ever, counted) if ever else counted
        before, self._before = self._before, (now_s, used_cpu_s, ever)
        if before is None or not now_s > before[0]:
            return
        passed_s, grown = now_s - before[0], growth(ever, before[2]) if before[2] and ever else {}
        self._points.append(
            {
                "at_s": now_s,
                "sessions": sessions,
                "messages": grown.get("messages", 0) / passed_s,
                "cpu": max(used_cpu_s - before[1], 0.0) / passed_s,
                "memory": memory_bytes(snapshot),
                "p99": quantile(grown["round_trip"], BOUNDS_S["round_trip"], 0.99) if grown else None,
            }
        )

    def points(self) -> dict[str, list[Any]]:
        """The points as columns."""
        points = list(self._points)
        return {name: [point[name] for point in points] for name in ("at_s", *CHARTS)}
