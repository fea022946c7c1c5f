"""A small abstract chart for every application of the index, the same for the same name."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator

_WIDTH = 320
_HEIGHT = 120
_HUES = 6


def picture(name: str) -> str:
    """An SVG drawing for this name. Colours come from the style sheet, by the classes `art`, `hue-0`…`hue-5`, `a`, `b`."""
    numbers = _numbers(name)
    hue = int(next(numbers) * _HUES)
    motif = _MOTIFS[int(next(numbers) * len(_MOTIFS))]
    return (
        f'<svg class="art hue-{hue}" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="xMidYMid slice" '
        f'aria-hidden="true">{motif(numbers)}</svg>'
    )


def _numbers(name: str) -> Iterator[float]:
    """Endless numbers from 0 to below 1, the same for the same name on every machine."""
    block = name.encode("utf-8", "surrogatepass")
    while True:
        block = hashlib.sha256(block).digest()
        yield from (byte / 256 for byte in block)


def _wave(numbers: Iterator[float], middle: float, height: float) -> list[tuple[float, float]]:
    """Points of a smooth line across the drawing: a few sines of random phase."""
    parts = [(next(numbers) * math.tau, (index + 1) * (0.6 + 0.5 * next(numbers)), 1 / (index + 1)) for index in range(4)]
    points = []
    for x in range(-8, _WIDTH + 9, 8):
        angle = x / _WIDTH * math.tau
        points.append((x, middle + height * sum(weight * math.sin(rate * angle + phase) for phase, rate, weight in parts)))
    return points


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.1f}" for x, y in points)


def _area(numbers: Iterator[float]) -> str:
    drawn = []
    for kind, middle, height in (("b", 58, 15), ("a", 80, 13)):
        line = _path(_wave(numbers, middle, height))
        drawn.append(f'<path class="{kind} soft" d="{line}V{_HEIGHT + 8}H-8Z"/><path class="{kind} line" d="{line}"/>')
    return "".join(drawn)


def _lines(numbers: Iterator[float]) -> str:
    kinds = ("b line faint", "a line faint", "b line", "a line")
    return "".join(f'<path class="{kind}" d="{_path(_wave(numbers, 60, 19))}"/>' for kind in kinds)


def _bars(numbers: Iterator[float]) -> str:
    drawn = []
    for index, (_, level) in enumerate(_wave(numbers, 62, 20)[1:-1:2]):
        x, height = 10 + index * 15.2, min(max(_HEIGHT - level + 6 * next(numbers), 12), 106)
        kind = "a" if index % 5 == 3 else "b"
        drawn.append(f'<rect class="{kind}" x="{x:.1f}" y="{_HEIGHT - height:.1f}" width="10" height="{height + 4:.1f}" rx="3"/>')
    return "".join(drawn)


def _scatter(numbers: Iterator[float]) -> str:
    drawn = []
    for kind, x, y in (("b", 110, 72), ("a", 210, 48)):
        for _ in range(34):
            dx, dy = (sum(next(numbers) for _ in range(3)) - 1.5 for _ in range(2))
            radius = 2 + 5 * next(numbers) ** 3
            drawn.append(f'<circle class="{kind} point" cx="{x + 95 * dx:.1f}" cy="{y + 48 * dy:.1f}" r="{radius:.1f}"/>')
    return "".join(drawn)


def _grid(numbers: Iterator[float]) -> str:
    phase, rate = next(numbers) * math.tau, 0.35 + 0.3 * next(numbers)
    drawn = []
    for column in range(16):
        for row in range(5):
            level = 0.5 + 0.5 * math.sin(rate * column + phase) * math.cos(0.9 * row + phase)
            level = 0.1 + 0.75 * level + 0.15 * next(numbers)
            x, y = 9 + column * 19, 14 + row * 19
            kind = "a" if level > 0.78 else "b"
            drawn.append(f'<rect class="{kind}" x="{x}" y="{y}" width="16" height="16" rx="4" opacity="{level:.2f}"/>')
    return "".join(drawn)


def _rings(numbers: Iterator[float]) -> str:
    drawn = []
    for index in range(5):
        radius = 16 + 19 * index
        length = math.tau * radius
        share = 0.25 + 0.6 * next(numbers)
        kind = "a" if index % 2 else "b"
        drawn.append(
            f'<circle class="ring" cx="160" cy="60" r="{radius}"/><circle class="{kind} ring" cx="160" cy="60" r="{radius}" '
            f'stroke-dasharray="{share * length:.0f} {length:.0f}" transform="rotate({360 * next(numbers):.0f} 160 60)"/>'
        )
    return "".join(drawn)


_MOTIFS: tuple[Callable[[Iterator[float]], str], ...] = (_area, _lines, _bars, _scatter, _grid, _rings)
