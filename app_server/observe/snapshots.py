"""Snapshots of the processes of one server, side by side and added up.

    {"processes": {name: {"pid", "started_s", "taken_s", "draining", "rss_bytes", "pss_bytes", "cpu_s", "max_sessions",
                          "answers": {"2xx": number}, "loop": {"now", "ever"},
                          "saving": {"saved", "restored", "lost", "failed", "away"},
                          "applications": {url: {"now": {"sessions", "connections", "unused", "queued_bytes",
                                                         "jobs_running", "jobs_queued"},
                                                 "ever": {...}}}}},
     "silent": [names of processes that did not answer in time]}

`ever` is what `gauges.ApplicationGauges.snapshot` gives, `loop` what `LoopGauges.snapshot` does. Times are seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Snapshot = dict[str, Any]


def merge(snapshots: Iterable[Mapping[str, Any]], silent: Iterable[str] = ()) -> Snapshot:
    """The processes of all these snapshots in one; `silent` names those that did not answer."""
    merged: Snapshot = {"processes": {}, "silent": list(silent)}
    for snapshot in snapshots:
        merged["processes"].update(snapshot["processes"])
        merged["silent"] += snapshot["silent"]
    return merged


def totals(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What was counted for each application, added up over the processes."""
    added: dict[str, Any] = {}
    for facts in snapshot["processes"].values():
        added = add(added, facts["applications"])
    return added


def memory_bytes(snapshot: Mapping[str, Any]) -> int:
    """The memory of all processes together: what they share is divided among them, where the system says how."""
    found = 0
    for facts in snapshot["processes"].values():
        found += int(facts["rss_bytes"] if facts["pss_bytes"] is None else facts["pss_bytes"])
        found += sum(int(gauges["now"].get("apart_bytes", 0)) for gauges in facts["applications"].values())
    return found


def add(one: Any, other: Any) -> Any:
    """The sum of two trees of numbers: dictionaries by key, lists by place."""
    if isinstance(one, dict):  # not Mapping, which takes much longer to find out
        rest = {key: value for key, value in other.items() if key not in one}
        return {**{key: add(value, other[key]) if key in other else value for key, value in one.items()}, **rest}
    if isinstance(one, list):
        longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
        return [add(value, shorter[place]) if place < len(shorter) else value for place, value in enumerate(longer)]
    return one + other


def growth(new: Any, old: Any) -> Any:
    """By how much each number of a tree has grown; one that has not is 0, because counters never shrink."""
    if isinstance(new, dict):
        return {key: growth(value, old[key]) if key in old else value for key, value in new.items()}
    if isinstance(new, list):
        return [growth(value, before) for value, before in zip(new, old, strict=True)]
    return max(new - old, 0)


class Totals:
    """Adds up the counts of a process's children. No counter goes back when a child ends.

    A child's last counts are kept; its momentary values are dropped.
    """

    def __init__(self) -> None:
        self._last: dict[object, Mapping[str, Any]] = {}
        self._ever: dict[str, Any] = {}

    def note(self, child: object, applications: Mapping[str, Any]) -> None:
        """Record a child's total counts for its applications."""
        before = self._last.get(child, {})
        for url, gauges in applications.items():
            grown = growth(gauges["ever"], before[url]["ever"]) if url in before else gauges["ever"]
            # Add only what grew, instead of computing the whole sum again: with a thousand children that is a thousand
            # times less work, and rounding never makes a sum smaller, which Prometheus would misunderstand.
            self._ever[url] = add(self._ever[url], grown) if url in self._ever else grown
        self._last[child] = applications

    def close(self, child: object) -> None:
        """Record that this child has ended."""
        self._last.pop(child, None)

    def balance(self) -> dict[str, Any]:
        """What all children have counted, those that have ended too, by application."""
        now: dict[str, Any] = {}
        for applications in self._last.values():
            now = add(now, {url: gauges["now"] for url, gauges in applications.items()})
        return {url: {"now": now.get(url, {}), "ever": ever} for url, ever in self._ever.items()}


def quantile(histogram: Mapping[str, Any], bounds_s: tuple[float, ...], share: float) -> float | None:
    """The duration in seconds that `share` of all stayed below, read off the buckets; None if nothing was recorded.

    Durations are assumed to be evenly spread within a bucket, and those beyond the last bound to be equal to it.
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
