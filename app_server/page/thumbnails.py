"""A small abstract chart for every application of the index, the same for the same name."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

_WIDTH = 320
_HEIGHT = 120
_HUES = 6


def pictures(names: Iterable[str]) -> list[str]:
    """An SVG drawing for each name. The name chooses it, but names next to each other get different ones.

    The style sheet colours them, by the classes `thumbnail`, `hue-0` to `hue-5`, `a` and `b`.
    """
    hues, motifs = Counter[int](), Counter[int]()
    drawn = []
    for name in names:
        numbers = _numbers(name)
        hue = _rarest(hues, _HUES, int(next(numbers) * _HUES))
        motif = _rarest(motifs, len(_MOTIFS), int(next(numbers) * len(_MOTIFS)))
        drawn.append(
            f'<svg class="thumbnail hue-{hue}" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="xMidYMid slice" '
            f'aria-hidden="true">{_MOTIFS[motif](numbers)}</svg>'
        )
    return drawn


def _rarest(used: Counter[int], choices: int, wish: int) -> int:
    """The choice that was used least so far, starting at the wish; marks it as used."""
    choice = min(((wish + step) % choices for step in range(choices)), key=lambda one: used[one])
    used[choice] += 1
    return choice


def _numbers(name: str) -> Iterator[float]:
    """Endless numbers from 0 to below 1, the same for the same name on every machine."""
    block = name.encode("utf-8", "surrogatepass")
    while True:
        block = hashlib.sha256(block).digest()
        yield from (byte / 256 for byte in block)


def _wave(numbers: Iterator[float], middle: float, height: float) -> list[tuple[float, float]]:
    """Points of a smooth line across the drawing: a few sines of random phase."""
    parts = [(next(numbers) * math.tau, order * (0.6 + 0.5 * next(numbers)), 1 / order) for order in range(1, 5)]

    def level(x: int) -> float:
        angle = x / _WIDTH * math.tau
        return middle + height * sum(weight * math.sin(rate * angle + phase) for phase, rate, weight in parts)

    return [(x, level(x)) for x in range(-8, _WIDTH + 9, 8)]


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
    for index, (_, level) in enumerate(_wave(numbers, 62, 20)[1:-2:2]):
        x, height = 10 + index * 15.2, min(max(_HEIGHT - level + 6 * next(numbers), 12), 106)
        kind = "a" if index % 5 == 3 else "b"
        place = f'x="{x:.1f}" y="{_HEIGHT - height:.1f}" width="10" height="{height + 4:.1f}"'
        drawn.append(f'<rect class="{kind}" {place} rx="3"/>')
    return "".join(drawn)


def _scatter(numbers: Iterator[float]) -> str:
    drawn = []
    for kind, x, y in (("b", 110, 72), ("a", 210, 48)):
        for _ in range(34):
            dx, dy = (sum(next(numbers) for _ in range(3)) - 1.5 for _ in range(2))
            place = f'cx="{x + 95 * dx:.1f}" cy="{y + 48 * dy:.1f}" r="{2 + 5 * next(numbers) ** 3:.1f}"'
            drawn.append(f'<circle class="{kind} point" {place}/>')
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
        dash = f"{(0.25 + 0.6 * next(numbers)) * length:.0f} {length:.0f}"
        turn = f"rotate({360 * next(numbers):.0f} 160 60)"
        kind = "a" if index % 2 else "b"
        place = f'cx="160" cy="60" r="{radius}"'
        drawn.append(f'<circle class="ring" {place}/>')
        drawn.append(f'<circle class="{kind} ring" {place} stroke-dasharray="{dash}" transform="{turn}"/>')
    return "".join(drawn)


_MOTIFS: tuple[Callable[[Iterator[float]], str], ...] = (_area, _lines, _bars, _scatter, _grid, _rings)
