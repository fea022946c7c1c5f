"""What `app-server status` shows."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from rich.console import Console

from app_server.observe.screen import duration, screen, seconds, size
from tests.unit.observe.test_exposition import snapshot, with_jobs


def shown(snapshot: Any, before: Any = None) -> list[list[str]]:
    """The words of each line that is not empty."""
    console = Console(width=140, no_color=True)
    with console.capture() as capture:
        console.print(screen(snapshot, before, "http://localhost:5006/"))
    lines = [line.split() for line in capture.get().splitlines()]
    return [words for words in lines if words]


def row(lines: list[list[str]], first: str) -> list[str]:
    """The line that begins with this word."""
    return next(words for words in lines if words[0] == first)


def two_applications() -> dict[str, Any]:
    """A snapshot of two processes that serve /app."""
    found: dict[str, Any] = json.loads(json.dumps(snapshot()))
    for facts in found["processes"].values():
        (gauges,) = facts["applications"].values()
        facts["applications"] = {"/app": gauges}
    return found


def test_processes_are_shown_one_by_one_and_applications_added_up() -> None:
    lines = shown(two_applications())
    assert " ".join(lines[0]) == "http://localhost:5006/ up 10 s, 3 processes"
    assert row(lines, "1")[:6] == ["1", "(draining)", "7", "10", "s", "2"]
    assert row(lines, "2")[-2:] == ["0", "x"]
    assert row(lines, "/app")[:5] == ["/app", "4", "2", "6", "4"]
    assert ["no", "answer", "from:", "?"] in lines


def test_few_columns_hold_what_matters_most() -> None:
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(screen(two_applications(), None, "http://localhost:5006/", console.width))
    text = capture.get()
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    headings = [line.split() for line in text.splitlines() if "sessions" in line]
    assert headings == [
        ["process", "pid", "up", "sessions", "memory", "lag", "blocked"],
        ["application", "sessions", "refused", "changes/s", "p50", "p99"],
    ]


def test_jobs_are_shown_if_there_have_been_any() -> None:
    assert "jobs" not in row(shown(two_applications()), "application")
    found = with_jobs()
    for facts in found["processes"].values():
        (gauges,) = facts["applications"].values()
        facts["applications"] = {"/app": gauges}
    lines = shown(found)
    assert row(lines, "application")[-1] == "jobs"
    assert row(lines, "/app")[-4:] == ["4", "+", "6", "queued"]
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(screen(found, None, "http://localhost:5006/", console.width))
    assert "4 + 6 queued" in capture.get() and "…" not in capture.get()


def test_rates_need_a_moment_before() -> None:
    before = two_applications()
    now = copy.deepcopy(before)
    for facts in now["processes"].values():
        facts["taken_s"] += 2
        ever = facts["applications"]["/app"]["ever"]
        ever["round_trip"]["counts"][0] += 50
        ever["bytes_out"] += 4000
    assert "50" in row(shown(now, before), "/app")
    assert ["4", "kB"] == row(shown(now, before), "/app")[-4:-2]
    assert "-" in row(shown(now), "/app")


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    found = two_applications()
    for facts in found["processes"].values():
        facts["applications"] = {"/[bold]x": facts["applications"]["/app"]}
    assert row(shown(found), "/[bold]x")


@pytest.mark.parametrize(
    ("value_s", "text"), [(5, "5 s"), (65, "1 min 5 s"), (3725, "1 h 2 min"), (90000, "1 d 1 h"), (-1, "0 s")]
)
def test_long_durations_have_two_units(value_s: float, text: str) -> None:
    assert duration(value_s) == text


def test_short_durations_and_sizes_are_readable() -> None:
    values_s = (None, 0.0004, 0.0999, 0.25, 12)
    assert [seconds(value) for value in values_s] == ["-", "0.4 ms", "99.9 ms", "0.25 s", "12 s"]
    assert [size(value) for value in (0, 999, 72_585_216, 3e9)] == ["0 B", "999 B", "73 MB", "3.0 GB"]
