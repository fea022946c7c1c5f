"""What `app-server status` shows of a snapshot: the processes, and below them the applications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app_server.errors import OperatorError
from app_server.observe.gauges import BOUNDS_S
from app_server.observe.snapshots import quantile, totals
from app_server.version import how_to_install

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_WIDE = 120

_LATE_S = 0.25
"""A loop that is this late is noticeable at a slider."""

_SLOW_S = 0.1
"""A round trip of this length is noticeable."""


def check() -> None:
    """Raise OperatorError if rich is not installed."""
    try:
        import rich  # noqa: F401
    except ImportError:
        hint = f"`app-server status --json` works without it. {how_to_install('observe')}"
        raise OperatorError("rich is not installed", where="status", hint=hint) from None


def screen(
    snapshot: Mapping[str, Any], before: Mapping[str, Any] | None, where: str, columns: int = _WIDE
) -> RenderableType:
    """The tables about a server; with the snapshot of a moment before they say how much happens in a second.

    On a narrow terminal, the least important columns are left out.
    """
    from rich.console import Group
    from rich.text import Text

    lines: list[RenderableType] = [Text(_headline(snapshot, where), style="bold"), _processes(snapshot, columns)]
    if snapshot["silent"]:
        lines.append(Text(f"no answer from: {', '.join(snapshot['silent'])}", style="bold red"))
    lines.append(_applications(snapshot, before, columns))
    return Group(*lines)


def _headline(snapshot: Mapping[str, Any], where: str) -> str:
    processes = snapshot["processes"].values()
    count = len(snapshot["processes"]) + len(snapshot["silent"])
    up_s = max((facts["taken_s"] - facts["started_s"] for facts in processes), default=0)
    return f"{where}  up {duration(up_s)}, {count} process{'es' if count != 1 else ''}"


def _processes(snapshot: Mapping[str, Any], columns: int) -> Table:
    headings = ("process", "pid", "up", "sessions", "connections", "memory", "lag", "longest", "blocked")
    table = _Table(headings, () if columns >= _WIDE else ("connections", "longest"))
    for name, facts in sorted(snapshot["processes"].items()):
        now = [gauges["now"] for gauges in facts["applications"].values() if "now" in gauges]
        sessions = sum(each["sessions"] for each in now)
        limit, loop = facts["max_sessions"], facts["loop"]
        memory = facts["pss_bytes"] if facts["pss_bytes"] is not None else facts["rss_bytes"]
        table.add(
            f"{name} (draining)" if facts["draining"] else name,
            str(facts["pid"]),
            duration(facts["taken_s"] - facts["started_s"]),
            _warned(f"{sessions} of {limit}" if limit else str(sessions), bool(limit) and sessions >= limit),
            str(sum(each["connections"] for each in now)),
            size(memory),
            _warned(seconds(loop["now"]["recent_lag_s"]), loop["now"]["recent_lag_s"] > _LATE_S),
            seconds(loop["now"]["longest_lag_s"]),
            _warned(f"{loop['ever']['blocks']:.0f} x", loop["ever"]["blocks"] > 0),
        )
    return table.drawn


def _applications(snapshot: Mapping[str, Any], before: Mapping[str, Any] | None, columns: int) -> Table:
    from rich.markup import escape

    headings = (
        "application", "sessions", "connections", "opened", "refused", "changes/s", "p50", "p99", "callbacks p99",
        "sent/s", "queued", "jobs",
    )  # fmt: skip
    left_out = () if columns >= _WIDE else ("connections", "opened", "callbacks p99", "sent/s", "queued")
    found = totals(snapshot)
    table = _Table(headings, (*left_out, *(() if any(map(_had_jobs, found.values())) else ("jobs",))))
    earlier = {} if before is None else totals(before)
    passed_s = 0.0 if before is None else _taken_s(snapshot) - _taken_s(before)
    for url, gauges in sorted(found.items()):
        ever, now = gauges["ever"], gauges["now"]
        past = earlier.get(url, {}).get("ever")
        slowest = quantile(ever["round_trip"], BOUNDS_S["round_trip"], 0.99)
        called = [quantile(each, BOUNDS_S["callback"], 0.99) for each in ever["callbacks"].values()]
        table.add(
            escape(url),
            str(now["sessions"]),
            str(now["connections"]),
            str(ever["built"]),
            _warned(str(sum(ever["refused"].values())), any(ever["refused"].values())),
            _rate(_trips(ever), past and _trips(past), passed_s),
            seconds(quantile(ever["round_trip"], BOUNDS_S["round_trip"], 0.5)),
            _warned(seconds(slowest), slowest is not None and slowest > _SLOW_S),
            seconds(max((each for each in called if each is not None), default=None)),
            _rate(ever["bytes_out"], past and past["bytes_out"], passed_s, of_bytes=True),
            size(now["queued_bytes"]),
            _jobs(now),
        )
    return table.drawn


def _had_jobs(gauges: Mapping[str, Any]) -> bool:
    """Whether the application has jobs, or had some."""
    return bool(gauges["now"]["jobs_running"] or gauges["now"]["jobs_queued"] or gauges["ever"]["jobs"])


def _jobs(now: Mapping[str, Any]) -> str:
    """How many run, and how many more wait."""
    return f"{now['jobs_running']} + {now['jobs_queued']} queued" if now["jobs_queued"] else str(now["jobs_running"])


class _Table:
    """A table of rich, some of whose columns are left out."""

    def __init__(self, headings: Sequence[str], left_out: Sequence[str]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        self.drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
        self._shown = [heading not in left_out for heading in headings]
        for number, heading in enumerate(headings):
            if heading not in left_out:
                self.drawn.add_column(heading, no_wrap=True, justify="right" if number else "left")

    def add(self, *cells: str) -> None:
        """A row, with a cell for each heading."""
        self.drawn.add_row(*(cell for cell, shown in zip(cells, self._shown, strict=True) if shown))


def _warned(text: str, so: bool) -> str:
    return f"[bold red]{text}[/]" if so else text


def _trips(ever: Mapping[str, Any]) -> int:
    return sum(ever["round_trip"]["counts"])


def _taken_s(snapshot: Mapping[str, Any]) -> float:
    return max((float(facts["taken_s"]) for facts in snapshot["processes"].values()), default=0.0)


def _rate(count: int, before: int | None, passed_s: float, *, of_bytes: bool = False) -> str:
    if before is None or passed_s <= 0:
        return "-"
    each_s = max(count - before, 0) / passed_s
    return size(each_s) if of_bytes else f"{each_s:.0f}"


def seconds(value: float | None) -> str:
    """A short duration as a person reads it."""
    if value is None:
        return "-"
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def duration(value_s: float) -> str:
    """A long duration in its two largest units."""
    days, rest = divmod(int(max(value_s, 0)), 86400)
    hours, minutes, secs = rest // 3600, rest % 3600 // 60, rest % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {secs} s" if minutes else f"{secs} s"


def size(value: float) -> str:
    """An amount of memory, in units of 1000."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
