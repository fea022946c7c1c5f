"""Snapshots of several processes become one: numbers are added up, what belongs to a process stays beside its name.

    {"processes": {name: {"pid", "started_s", "taken_s", "draining", "rss_bytes", "max_sessions", "answers", "loop"}},
     "applications": {url: {"now": {"sessions", "connections", "unused", "queued_bytes"}, "ever": {...}}},
     "silent": [names of processes that did not answer in time]}

`ever` is what `gauges.ApplicationGauges.snapshot` gives. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Snapshot = dict[str, Any]


def merge(snapshots: Iterable[Mapping[str, Any]], silent: Iterable[str] = ()) -> Snapshot:
    """One snapshot of several; `silent` names the processes that did not answer."""
    merged: Snapshot = {"processes": {}, "applications": {}, "silent": list(silent)}
    for snapshot in snapshots:
        merged["processes"].update(snapshot["processes"])
        merged["applications"] = add(merged["applications"], snapshot["applications"])
        merged["silent"] += snapshot.get("silent", [])
    return merged


def add(one: Any, other: Any) -> Any:
    """The sum of two trees of numbers: dictionaries by key, lists by place."""
    if isinstance(one, Mapping):
        rest = {key: value for key, value in other.items() if key not in one}
        return {**{key: add(value, other[key]) if key in other else value for key, value in one.items()}, **rest}
    if isinstance(one, list):
        longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
        return [add(value, shorter[place]) if place < len(shorter) else value for place, value in enumerate(longer)]
    return one + other


class Ledger:
    """Adds snapshots up over time, so that no counter goes back when a process ends.

    What a process had counted when it was last heard of is kept, and what is true at a moment only goes with it.
    """

    def __init__(self) -> None:
        self._last: dict[str, Mapping[str, Any]] = {}
        self._gone: dict[str, Any] = {}

    def note(self, process: str, snapshot: Mapping[str, Any]) -> None:
        """This process has counted so much, all in all. `process` is never given to another one: a pid and a start."""
        self._last[process] = snapshot["applications"]

    def close(self, process: str) -> None:
        """This process has ended."""
        for url, gauges in self._last.pop(process, {}).items():
            self._gone = add(self._gone, {url: {"ever": gauges["ever"]}})

    def balance(self) -> Snapshot:
        """What the processes that have ended had counted, as a snapshot to merge with those of the living."""
        return {"processes": {}, "applications": self._gone, "silent": []}


def quantile(histogram: Mapping[str, Any], bounds_s: tuple[float, ...], share: float) -> float | None:
    """The duration in seconds that `share` of all stayed below, read off the buckets; None where nothing was noted.

    Within a bucket durations count as evenly spread, and what is beyond the last bound counts as that bound.
    """
    counts: list[int] = histogram["counts"]
    wanted = share * sum(counts)
    if not any(counts):
        return None
    low, seen = 0.0, 0
    for bound, count in zip(bounds_s, counts, strict=False):
        if count and seen + count >= wanted:
            return low + (bound - low) * (wanted - seen) / count
        low, seen = bound, seen + count
    return bounds_s[-1]
