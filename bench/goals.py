"""The goals, and whether a run reached them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.servers import OURS, STOCK

Results = dict[str, dict[str, dict[str, float]]]
"""Figures by scenario, then by server, then by name."""


@dataclass(frozen=True)
class Goal:
    """A figure to compare. `at_least_times` is a ratio to stock; `at_most` and `at_least` are absolute.

    A figure around zero has no ratio that means anything.
    """

    scenario: str
    figure: str
    says: str
    unit: str
    more_is_better: bool = False
    at_least_times: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    has_ratio: bool = True

    @property
    def wish(self) -> str:
        """The goal in words; empty if the figure is only shown."""
        if self.at_least_times is not None:
            return f"{self.at_least_times:g}x {'more' if self.more_is_better else 'less'}"
        if self.at_most is not None:
            return f"at most {self.at_most:g} {self.unit}".rstrip()
        return "" if self.at_least is None else f"at least {self.at_least:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """A goal and the measured figures; None for a server that was not measured, or failed."""

    goal: Goal
    figures: dict[str, float | None]

    @property
    def times_better(self) -> float | None:
        """How many times better than stock ours is, whichever direction is better; None if either is missing."""
        stock, ours = self.figures.get(STOCK), self.figures.get(OURS)
        if (
            not self.goal.has_ratio
            or stock is None
            or ours is None
            or stock <= 0
            or ours <= 0
            or math.inf in (stock, ours)
        ):
            return None
        return ours / stock if self.goal.more_is_better else stock / ours

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None if there is none, or ours was not run."""
        goal, ours = self.goal, self.figures.get(OURS)
        if not goal.wish or OURS not in self.figures:
            return None
        if ours is None or not math.isfinite(ours):
            return False
        if goal.at_least_times is not None:
            return None if self.times_better is None else self.times_better >= goal.at_least_times
        return ours <= goal.at_most if goal.at_most is not None else ours >= (goal.at_least or 0.0)


GOALS = (
    Goal("page", "cpu_ms", "a page that makes a session, CPU", "ms"),
    Goal("open-sliders", "cpu_ms", "open a session of 38 models, CPU", "ms", at_least_times=3),
    Goal("open-sliders", "wall_ms", "open a session of 38 models, time", "ms"),
    Goal("open-dashboard", "cpu_ms", "open a session of 618 models, CPU", "ms", at_least_times=3),
    Goal("round-trip", "p50_ms", "a slider's round trip, 1 session, p50", "ms", at_least_times=25),
    Goal("round-trip", "cpu_ms", "a slider's round trip, 1 session, CPU", "ms"),
    Goal("proxied", "direct_p50_ms", "a slider's round trip, beside it, p50", "ms"),
    Goal("proxied", "through_p50_ms", "a slider's round trip, nginx and TLS, p50", "ms"),
    Goal("proxied", "added_p50_ms", "added by nginx and TLS, p50", "ms", at_most=0.5, has_ratio=False),
    Goal("closed-50", "trips_per_s", "round trips, 50 sessions", "/s", more_is_better=True, at_least_times=2.5),
    Goal("closed-50", "cpu_ms", "a round trip, 50 sessions, CPU", "ms"),
    Goal("closed-200", "trips_per_s", "round trips, 200 sessions", "/s", more_is_better=True, at_least_times=2.5),
    Goal("closed-200", "cpu_ms", "a round trip, 200 sessions, CPU", "ms"),
    Goal("offered-300", "p99_ms", "300 /s over 50 sessions, p99", "ms", at_least_times=30),
    Goal("offered-300", "p50_ms", "300 /s over 50 sessions, p50", "ms"),
    Goal("push", "delivered_percent", "push at 20 Hz, delivered", "%", more_is_better=True, at_least=99),
    Goal("push", "p50_ms", "push at 20 Hz, age on arrival, p50", "ms", at_least_times=30),
    Goal("push", "late_p50_ms", "push at 20 Hz, behind the grid, p50", "ms"),
    Goal("push", "cpu_ms", "push at 20 Hz, CPU for each", "ms", at_least_times=3),
    Goal("slow-line", "age_p50_ms", "a line of 1 MB/s, age of what is shown, p50", "ms", at_least_times=5),
    Goal("slow-line", "age_max_ms", "a line of 1 MB/s, age of what is shown, most", "ms"),
    Goal("slow-line", "lost_rows", "a line of 1 MB/s, streamed rows lost", "", at_most=0, has_ratio=False),
    Goal("slow-line", "beside_percent", "another client beside it, delivered", "%", more_is_better=True, at_least=99),
    Goal("slow-line", "memory_mb", "memory for both", "MB"),
    Goal("beats", "delivered_percent", "200 sessions at 20 Hz, delivered", "%", more_is_better=True),
    Goal("beats", "cpu_ms", "200 sessions at 20 Hz, CPU for a beat", "ms"),
    Goal("beats", "limit_per_s", "beats that fill one process", "/s", more_is_better=True),
    Goal("properties", "frames", "100 properties changed, frames", "", at_most=6),
    Goal("properties", "p50_ms", "100 properties changed, p50", "ms", at_least_times=9),
    Goal("fan-out", "p50_ms", "one change to 20 tabs, p50", "ms", at_least_times=25),
    Goal("fan-out", "cpu_ms", "one change to 20 tabs, CPU", "ms", at_least_times=15),
    Goal("closing", "stall_ms", "200 sessions end, longest stall", "ms", at_most=100),
    Goal("session-memory", "memory_kb", "memory of a session of 38 models", "kB", at_most=270),
    Goal("idle-sockets", "memory_kb", "memory of an idle socket", "kB", at_most=50),
    Goal("first-page", "wire_kb", "a first page of widgets and plots, bytes", "kB", at_least_times=9),
    Goal("first-page-plots", "wire_kb", "a first page of plots, bytes", "kB", at_least_times=11),
    Goal("first-page", "immutable_percent", "a first page, scripts immutable", "%", more_is_better=True, at_least=100),
    Goal("first-page", "wall_ms", "a first page, time on loopback", "ms"),
    Goal("opens", "opens_per_s", "sessions opened, two processes", "/s", more_is_better=True, at_least_times=4),
    Goal("opens-isolated", "opens_per_s", "the same, a process for each", "/s", more_is_better=True),
    Goal("opens-copied", "opens_per_s", "the same, each a copy", "/s", more_is_better=True, at_least_times=10),
    Goal("drawn", "cold_ms", "a page drawn in Chromium, no cache, p50", "ms", at_least_times=1.45),
    Goal("drawn", "drawn_ms", "the same, with its scripts cached, p50", "ms", at_least_times=2),
    Goal("drawn-at-a-distance", "cold_ms", "drawn at 10 Mbit/s and 40 ms, no cache", "ms", at_least_times=5),
    Goal("drawn-at-a-distance", "drawn_ms", "the same, with its scripts cached", "ms", at_least_times=1.35),
    Goal("stuck", "change_percent", "p99 of others, one is stuck, change", "%", at_most=20, has_ratio=False),
    Goal("stuck", "during_p99_ms", "p99 of others, one is stuck", "ms"),
    Goal("held", "lost", "1000 processes for sessions, lost", "", at_most=0, has_ratio=False),
    Goal("held", "private_kb", "private memory of such a session", "kB"),
    Goal("held-copied", "lost", "1000 copies, lost", "", at_most=0, has_ratio=False),
    Goal("held-copied", "private_kb", "private memory of a copy", "kB"),
    Goal("came-and-went", "growth_percent", "memory after 10,000 sessions, change", "%", at_most=5, has_ratio=False),
    Goal("saved-sliders", "added_cpu_percent", "added by saving, CPU of round trips", "%", at_most=10, has_ratio=False),
    Goal("saved-sliders", "added_p99_percent", "added by saving, p99 of round trips", "%", at_most=10, has_ratio=False),
    Goal("saved-many", "added_percent", "saving 1000 sessions a second, of a core", "%", at_most=15, has_ratio=False),
    Goal("restored", "added_ms", "added by restoring a session of 38 models", "ms", at_most=10, has_ratio=False),
    Goal("saved-leftover", "saved_kb", "left of each of 1000 sleeping sessions", "kB", at_most=5, has_ratio=False),
    Goal("leftover", "memory_kb", "left of each of 1000 sessions", "kB", at_most=5, has_ratio=False),
)


def rows(results: Results) -> list[Row]:
    """The goals whose scenario was run, with their figures."""
    return [
        Row(goal, {server: figures.get(goal.figure) for server, figures in results[goal.scenario].items()})
        for goal in GOALS
        if goal.scenario in results
    ]
