"""The findings of a load test as a picture: how long people wait, and how many there are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from app_server.load.meter import Measured
from app_server.load.ramp import Why, judge
from app_server.load.report.findings import Findings
from app_server.load.report.text import verdict
from app_server.observe.screen import seconds

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 78, 56
PAPER, INK, FAINT = "#fbfbf8", "#22303a", "#c9d0d4"
GOOD, BAD, LIMIT, MIDDLE = "#1f7a8c", "#c8553d", "#b8860b", "#7f97a3"
FLOOR_S: Final = 0.0001
NICE: Final = (1, 2, 5, 10)
LONGEST_TITLE: Final = 100


def as_svg(found: Findings) -> str:
    """The picture; it has its own background, so it looks the same on light and dark pages."""
    return "\n".join(["".join(_head(found)), *_Chart(found).drawn(), "</svg>\n"])


def _head(found: Findings) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
    yield 'font-family="system-ui, sans-serif" font-size="12">'
    yield f"<title>{escape(verdict(found))}</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
    words = verdict(found).split(" ")
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > LONGEST_TITLE and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    for number, line in enumerate(lines[:2]):
        yield _text(20, 26 + 17 * number, line, size=13)


class _Chart:
    """People on the one axis, and seconds, in powers of ten, on the other."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._stages = sorted(found.outcome.stages, key=lambda stage: stage.people)
        times = [each for stage in self._stages for each in (stage.trips.p50_s, stage.trips.p99_s)]
        times = [each for each in (*times, found.limits.p99_s) if math.isfinite(each)]
        self._low = math.floor(math.log10(max(FLOOR_S, min(times) * 0.8)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(times) * 1.2)))
        # Of a number of people that was tried again, the better time is the one that decides.
        self._best = list({stage.people: stage for stage in sorted(self._stages, key=_slowest_first)}.values())
        self._most = max([1, *(stage.people for stage in self._stages)])

    def _x(self, people: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * people / (self._most * 1.05), 1)

    def _y(self, duration_s: float) -> float:
        share = (math.log10(max(FLOOR_S, duration_s)) - self._low) / (self._high - self._low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, max(0.0, share)), 1)

    def drawn(self) -> Iterator[str]:
        """The parts of the picture, from back to front."""
        yield from self._grid()
        yield from self._limit()
        yield from self._curve([(stage.people, stage.trips.p50_s) for stage in self._best], MIDDLE)
        yield from self._curve([(stage.people, stage.trips.p99_s) for stage in self._best], GOOD)
        yield from self._points()
        yield from self._legend()

    def _grid(self) -> Iterator[str]:
        for power in range(self._low, self._high + 1):
            y = self._y(10.0**power)
            yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{FAINT}"/>'
            yield _text(LEFT - 8, y + 4, seconds(10.0**power).replace(".0 ", " "), anchor="end")
        for people in ticks(self._most):
            yield _text(self._x(people), HEIGHT - BOTTOM + 18, str(people), anchor="middle")
        yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "people at the same time", anchor="middle")

    def _limit(self) -> Iterator[str]:
        y = self._y(self._found.limits.p99_s)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{LIMIT}" stroke-width="1.5" stroke-dasharray="6 4"/>'
        yield _text(LEFT + 8, y - 6, f"limit {seconds(self._found.limits.p99_s)}", colour=LIMIT)
        if self._found.carried:
            x = self._x(self._found.carried)
            yield f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="{GOOD}" stroke-dasharray="2 4"/>'
            yield _text(
                x - 6, TOP + 12, f"{self._found.carried} people", colour=GOOD, anchor="end" if x > 180 else "start"
            )

    def _curve(self, pairs: Sequence[tuple[int, float]], colour: str) -> Iterator[str]:
        way = " ".join(f"{self._x(people)},{self._y(each)}" for people, each in pairs if math.isfinite(each))
        yield f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def _points(self) -> Iterator[str]:
        for stage in self._stages:
            if math.isfinite(stage.trips.p99_s):
                x, y = self._x(stage.people), self._y(stage.trips.p99_s)
                point = f'<circle cx="{x}" cy="{y}" r="4" fill="{self._colour(stage)}">'
                yield f"{point}<title>{_said(stage)}</title></circle>"

    def _colour(self, stage: Measured) -> str:
        return GOOD if judge(stage, self._found.limits) is Why.NONE else BAD

    def _legend(self) -> Iterator[str]:
        for number, (colour, words) in enumerate(((GOOD, "99 of 100 are faster"), (MIDDLE, "half are faster"))):
            x = LEFT + 8 + 170 * number
            yield f'<path d="M{x} {TOP - 12}h22" stroke="{colour}" stroke-width="2"/>'
            yield _text(x + 28, TOP - 8, words)


def _slowest_first(stage: Measured) -> tuple[int, float]:
    return stage.people, -stage.trips.p99_s


def ticks(most: int) -> list[int]:
    """Round numbers up to this one, about six of them."""
    rough = max(1.0, most / 6)
    power = 10 ** math.floor(math.log10(rough))
    step = max(1, int(next(nice * power for nice in NICE if nice * power >= rough)))
    return list(range(step, most + 1, step))


def _said(stage: Measured) -> str:
    return escape(f"{stage.people} people: p99 {seconds(stage.trips.p99_s)}, {stage.fault_count} failed")


def _text(x: float, y: float, words: str, *, colour: str = INK, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
