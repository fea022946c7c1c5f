"""What one process counts while it serves: plain numbers and histograms, cheap enough for every message.

    note (many times a second) -> snapshot (a plain dictionary, on request) -> snapshots.merge

A snapshot contains only numbers, lists and dictionaries, so it can travel as JSON. What is under "now" is true at that
moment. What is under "ever" only grows, and is kept when its process has gone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Any

FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for a slider's round trip: half a millisecond is good, 100 ms is noticeable."""

SLOW_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds for slow things: an application's start, a blocked loop."""

LONG_S = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""Bounds for jobs of applications: from what hardly needed to be one, to hours."""

BOUNDS_S = {"round_trip": FAST_S, "callback": FAST_S, "build": SLOW_S, "lag": SLOW_S, "job": LONG_S}
"""The bounds of each histogram in a snapshot, by its name there."""


class Histogram:
    """How often something took how long, in buckets; the last one is for everything beyond the bounds."""

    __slots__ = ("bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def note(self, duration_s: float) -> None:
        """Record that something took this long."""
        self.counts[bisect_left(self.bounds_s, duration_s)] += 1
        self.sum_s += duration_s

    def snapshot(self) -> dict[str, Any]:
        """`{"counts": how many in each bucket, "sum_s": seconds in all}`."""
        return {"counts": list(self.counts), "sum_s": self.sum_s}


class ApplicationGauges:
    """What is counted for one application."""

    __slots__ = (
        "build", "built", "bytes_in", "bytes_out", "callbacks", "connected", "ended", "job", "jobs", "messages_in",
        "messages_out", "refused", "round_trip",
    )  # fmt: skip

    def __init__(self) -> None:
        self.built = 0
        """Sessions that were built."""
        self.ended = 0
        self.connected = 0
        """Connections that were opened."""
        self.refused: Counter[str] = Counter()
        """Pages, scripts and sockets that were refused, by the reason."""
        self.messages_in = 0
        self.messages_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.build = Histogram(SLOW_S)
        self.round_trip = Histogram(FAST_S)
        self.callbacks: dict[str, Histogram] = {}
        self.jobs: Counter[str] = Counter()
        """Jobs that have ended, by how; and those that were refused."""
        self.job = Histogram(LONG_S)

    def job_ended(self, outcome: str, ran_s: float | None = None) -> None:
        """Record how a job has ended, and how long it ran, if it did; the caller sees to one call at a time."""
        self.jobs[outcome] += 1
        if ran_s is not None:
            self.job.note(ran_s)

    def called_back(self, kind: str, duration_s: float) -> None:
        """Record how long the application's code held its session, by the kind of callback."""
        histogram = self.callbacks.get(kind)
        if histogram is None:
            histogram = self.callbacks[kind] = Histogram(FAST_S)
        histogram.note(duration_s)

    def snapshot(self) -> dict[str, Any]:
        """What was counted so far."""
        return {
            "built": self.built,
            "ended": self.ended,
            "connected": self.connected,
            "refused": dict(self.refused),
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "build": self.build.snapshot(),
            "round_trip": self.round_trip.snapshot(),
            "callbacks": {kind: histogram.snapshot() for kind, histogram in self.callbacks.items()},
            "jobs": dict(self.jobs),
            "job": self.job.snapshot(),
        }


class SavingGauges:
    """What is counted of saved sessions."""

    __slots__ = ("away", "failed", "lost", "restored", "saved")

    def __init__(self) -> None:
        self.saved = 0
        """How often a session was saved."""
        self.restored = 0
        """Sessions that were restored."""
        self.lost = 0
        """Sessions that another process has taken over."""
        self.failed = 0
        """How often sessions could not be written to the store."""
        self.away = False
        """Whether the last attempt to use the store has failed."""

    def note_saved(self, sessions: int) -> None:
        """So many sessions were saved."""
        self.saved += sessions

    def note_restored(self) -> None:
        """A session was restored."""
        self.restored += 1

    def note_lost(self) -> None:
        """Another process has taken a session over."""
        self.lost += 1

    def note_failed(self) -> None:
        """Sessions could not be written to the store."""
        self.failed += 1

    def note_away(self, away: bool) -> None:
        """Whether the store can be used has changed."""
        self.away = away

    def snapshot(self) -> dict[str, int]:
        """What was counted so far."""
        return {"saved": self.saved, "restored": self.restored, "lost": self.lost, "failed": self.failed}


class LoopGauges:
    """How late the loop is, by its own heartbeat; times are of one monotonic clock."""

    __slots__ = ("blocked_s", "blocks", "lag", "last_s", "longest_s", "_recent")

    RECENT_S = 60.0
    """How long a lag is recent; at most twice as long."""

    def __init__(self) -> None:
        self.lag = Histogram(SLOW_S)
        self.last_s = 0.0
        self.longest_s = 0.0
        self.blocks = 0
        """How often the loop was blocked for longer than the limit."""
        self.blocked_s = 0.0
        self._recent = (0.0, 0.0, 0.0)  # when the younger window began, its longest lag, that of the older window

    def beat(self, lag_s: float, now_s: float) -> None:
        """Record that the loop ran this much later than it should have."""
        self.lag.note(lag_s)
        self.last_s = lag_s
        self.longest_s = max(self.longest_s, lag_s)
        began_s, younger_s, older_s = self._recent
        if now_s - began_s > self.RECENT_S:
            began_s, younger_s, older_s = now_s, 0.0, younger_s
        self._recent = began_s, max(younger_s, lag_s), older_s

    def snapshot(self) -> dict[str, Any]:
        """`{"now": …, "ever": …}` about the loop."""
        return {
            "now": {"lag_s": self.last_s, "longest_lag_s": self.longest_s, "recent_lag_s": max(self._recent[1:])},
            "ever": {"lag": self.lag.snapshot(), "blocks": self.blocks, "blocked_s": self.blocked_s},
        }


class Gauges:
    """What one process counts: for each of its applications, for its loop, and the answers to requests."""

    def __init__(self) -> None:
        self.loop = LoopGauges()
        self.saving = SavingGauges()
        self.answers: Counter[str] = Counter()
        """HTTP answers by the class of their status: "2xx"."""
        self._applications: dict[str, ApplicationGauges] = {}

    def application(self, url: str) -> ApplicationGauges:
        """The gauges of the application that is served at this path."""
        return self._applications.setdefault(url, ApplicationGauges())

    def answered(self, status: int) -> None:
        """Record that a request was answered with this status."""
        self.answers[f"{status // 100}xx"] += 1
