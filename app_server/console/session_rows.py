"""The rows of the table of sessions, which of them are shown, and what of them has changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app_server.console.feed import Instance
from app_server.console.reading import entries, number, text
from app_server.observe.session_record import short_place

Columns = dict[str, list[Any]]

COLUMNS = (
    "ref", "session", "application", "user", "instance", "process", "age", "idle", "pages", "messages", "p50", "p99",
    "slowest", "where", "memory",
)  # fmt: skip

_SEARCHED = ("session", "application", "user", "instance", "where")


@dataclass(frozen=True, slots=True)
class SessionRef:
    """A session, as an order names it."""

    address: str
    process: str
    key: str
    shown: str
    ident_shown: str
    """the beginning of its id, as in the log"""

    @property
    def ident(self) -> str:
        """What distinguishes it from all others of the deployment."""
        return f"{self.address} {self.process} {self.key}"


def refs(instances: Sequence[Instance]) -> dict[str, SessionRef]:
    """All sessions, by what distinguishes them."""
    found = (_ref(instance, entry) for instance in instances for entry in entries(instance, "sessions"))
    return {ref.ident: ref for ref in found}


def _ref(instance: Instance, entry: Mapping[str, Any]) -> SessionRef:
    user = text(entry, "user", 100)
    shown = f"session {text(entry, 'id', 8)} of {text(entry, 'application', 200)}" + (f" ({user})" if user else "")
    process, key = text(entry, "process", 100), text(entry, "key", 100)
    return SessionRef(text(instance, "address"), process, key, shown, text(entry, "id", 8))


def rows(instances: Sequence[Instance], now_s: float, wanted: str = "") -> Columns:
    """The sessions in which each of the wanted words occurs, the youngest first."""
    found = [(instance, entry) for instance in instances for entry in entries(instance, "sessions")]
    found.sort(key=lambda each: _youngest_first(number(each[1], "begun_s")))
    words = wanted.lower().split()
    every = (_row(instance, entry, now_s) for instance, entry in found)
    shown = [row for row in every if all(_has(row, word) for word in words)]
    return {name: [row[name] for row in shown] for name in COLUMNS}


def _youngest_first(begun_s: float) -> float:
    return math.inf if math.isnan(begun_s) else -begun_s


def _has(row: Mapping[str, Any], word: str) -> bool:
    return any(word in str(row[name]).lower() for name in _SEARCHED)


def _row(instance: Instance, entry: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    return {
        "ref": _ref(instance, entry).ident,
        "session": text(entry, "id", 8),
        "application": text(entry, "application", 200),
        "user": text(entry, "user", 100) or "–",
        "instance": text(instance, "name", 100),
        "process": text(entry, "pid", 10),
        "age": _whole((now_s - number(entry, "begun_s")) / 60),
        "idle": _whole(now_s - number(entry, "last_s"), 5),
        "pages": number(entry, "connections"),
        "messages": number(entry, "messages"),
        "p50": _rounded(number(entry, "p50_s") * 1000),
        "p99": _rounded(number(entry, "p99_s") * 1000),
        "slowest": _rounded(number(entry, "slowest_s") * 1000),
        "where": short_place(text(entry, "slowest_where", 500)) or text(entry, "slowest_kind", 50) or "–",
        "memory": _whole(number(entry, "memory_bytes") / 1e6),
    }


def _whole(value: float, step: int = 1) -> float:
    """The number in whole steps: what moves less is not sent to the page again."""
    return value if math.isnan(value) else float(max(value, 0) // step * step)


def _rounded(value: float) -> float:
    return value if math.isnan(value) else round(value, 1)


def patches(old: Mapping[str, Sequence[Any]], new: Columns) -> dict[str, list[tuple[int, Any]]] | None:
    """The cells that have changed, by column; None if there are other sessions, or in another order."""
    if list(old.get("ref", ())) != new["ref"]:
        return None
    found = {
        name: [(place, value) for place, value in enumerate(column) if not _same(old[name][place], value)]
        for name, column in new.items()
    }
    return {name: cells for name, cells in found.items() if cells}


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) or (isinstance(new, float) and math.isnan(new) and old != old)
