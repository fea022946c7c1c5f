"""Steps as events: how each begins and ends, and what it has printed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app_server.deployment.progress.progress import KEPT_LINES, Event, Progress, duration, silent


def ticking(*times_s: float) -> Iterator[float]:
    """A clock that shows these times, one after another."""
    yield from times_s


def test_step_ends_with_its_time_and_what_it_became() -> None:
    seen: list[Event] = []
    clock = ticking(10.0, 12.5, 20.0, 21.0)
    progress = Progress(seen.append, lambda: next(clock))
    progress("release 1")
    with progress.step("building", "built"):
        progress.part("RUN x", 2.0)
        progress.now("RUN y")
    with progress.step("trying", lambda: "tried 2"):
        progress.output("a line")
    assert seen == [
        Event("note", "release 1"),
        Event("begun", "building"), Event("part", "RUN x", 2.0), Event("now", "RUN y"), Event("done", "built", 2.5),
        Event("begun", "trying"), Event("output", "a line"), Event("done", "tried 2", 1.0),
    ]  # fmt: skip


def test_failed_step_has_the_last_lines_that_were_printed_in_it() -> None:
    seen: list[Event] = []
    progress = Progress(seen.append, lambda: 0.0)
    with progress.step("first"):
        progress.output("of another step")
    with pytest.raises(KeyboardInterrupt), progress.step("building"):
        for number in range(100):
            progress.output(str(number))
        raise KeyboardInterrupt
    kept = tuple(map(str, range(100 - KEPT_LINES, 100)))
    assert seen[-1] == Event("failed", "building", 0.0, kept)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (3.46, "3.5 s"), (9.96, "10 s"), (61.4, "61 s"), (119.4, "119 s"), (185, "3 min 5 s")],
)
def test_time_is_as_exact_as_it_matters(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_silence_takes_everything() -> None:
    progress = silent()
    progress("x")
    with progress.step("y"):
        progress.output("z")
