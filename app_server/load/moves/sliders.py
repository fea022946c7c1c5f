"""Moves of sliders, and of the ranges of plots."""

from __future__ import annotations

from random import Random
from typing import Final

from app_server.load.moves.step import DRAG_STEP_S, DRAG_STEPS, Move, Step, another, changed, drag, number, other, stop
from app_server.load.outline import Model

DAY_MS: Final = 86_400_000.0
HOUR_MS: Final = 3_600_000.0
SHIFT: Final = 0.1
"""How much of its length a range of a plot is panned by."""


def bounds(model: Model) -> tuple[float, float] | None:
    """Where a slider begins and ends, None if it cannot be moved."""
    low, high = number(model.properties.get("start", 0.0)), number(model.properties.get("end", 1.0))
    return (low, high) if low is not None and high is not None and low < high else None


def grid(low: float, high: float, step: float) -> int:
    """How many steps a slider has, at least one."""
    return max(1, min(10_000_000, round((high - low) / step))) if step > 0 else 1000


def slider(model: Model, random: Random, default_step: float = 1.0) -> Move:
    ends = bounds(model)
    if ends is None:
        return ()
    step = number(model.properties.get("step"), default_step) or 0.0
    stops = grid(*ends, step)
    begin = _nth(model.properties.get("value"), ends, stops, 0)
    way = _way(begin, other(random, stops + 1, begin))
    return drag(model, [stop(*ends, step, nth) for nth in way])


def _nth(value: object, ends: tuple[float, float], stops: int, default: int) -> int:
    """At which of its stops a handle is."""
    now = number(value)
    return default if now is None else min(stops, max(0, round((now - ends[0]) / (ends[1] - ends[0]) * stops)))


def _way(begin: int, end: int) -> list[int]:
    """The stops that a hand passes, without the first."""
    numbers = dict.fromkeys(begin + round((end - begin) * part / DRAG_STEPS) for part in range(1, DRAG_STEPS + 1))
    return [nth for nth in numbers if nth != begin]


def date_slider(model: Model, random: Random) -> Move:
    return slider(model, random, _day_step(model))


def _day_step(model: Model) -> float:
    """Date sliders count their steps in days, and their values in milliseconds."""
    return DAY_MS * (number(model.properties.get("step"), 1.0) or 1.0)


def range_slider(model: Model, random: Random, default_step: float = 1.0) -> Move:
    ends = bounds(model)
    if ends is None:
        return ()
    step = number(model.properties.get("step"), default_step) or 0.0
    stops = grid(*ends, step)
    value = model.properties.get("value")
    low, high = value if isinstance(value, list) and len(value) == 2 else ends
    left = _nth(low, ends, stops, 0)
    right = max(left, _nth(high, ends, stops, stops))
    # A hand has hold of one handle at a time, and cannot pass the other one.
    if right > 0 and (left == stops or random.random() < 0.5):
        pairs = [(nth, right) for nth in _way(left, other(random, right + 1, left))]
    else:
        pairs = [(left, nth) for nth in _way(right, left + other(random, stops - left + 1, right - left))]
    return drag(model, [[stop(*ends, step, nth) for nth in pair] for pair in pairs])


def datetime_range_slider(model: Model, random: Random) -> Move:
    return range_slider(model, random, HOUR_MS)


def date_range_slider(model: Model, random: Random) -> Move:
    return range_slider(model, random, _day_step(model))


def categorical_slider(model: Model, random: Random) -> Move:
    new = another(model.properties.get("categories"), model.properties.get("value"), random)
    return () if new is None else drag(model, [new])


def pan(model: Model, random: Random) -> Move:
    """A plot's range moves with the hand; both ends travel in one message."""
    ends = bounds(model)
    if ends is None:
        return ()
    shift = (ends[1] - ends[0]) * SHIFT * random.choice((-1, 1)) / DRAG_STEPS
    way = [[end + nth * shift for end in ends] for nth in range(1, DRAG_STEPS + 1)]
    return tuple(
        Step(DRAG_STEP_S if nth else 0.0, (changed(model, "start", low), changed(model, "end", high)))
        for nth, (low, high) in enumerate(way)
    )
