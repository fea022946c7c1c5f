"""Sliders: a handle stops only at their steps, between their ends."""

from __future__ import annotations

import datetime
from typing import Any, Final

from app_server.testing.errors import hidden
from app_server.testing.moves.step import Changes, among, moved, pair, refuse

__tracebackhide__ = hidden

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_TOLERANCE: Final = 1e-6
"""How far from a stop, in steps, a value may be that was computed with floating-point numbers."""


def slider(model: Any, value: Any) -> Changes:
    return moved(_stop(model, value, model.step))


def range_slider(model: Any, value: Any) -> Changes:
    return moved(_stops(model, value, model.step))


def date_slider(model: Any, value: Any) -> Changes:
    return moved(_stop(model, value, model.step * _DAY_MS))


def datetime_slider(model: Any, value: Any) -> Changes:
    """One of Panel's, whose steps are seconds."""
    return moved(_stop(model, value, model.step * 1000))


def date_range_slider(model: Any, value: Any) -> Changes:
    return moved(_stops(model, value, model.step * _DAY_MS))


def datetime_range_slider(model: Any, value: Any) -> Changes:
    return moved(_stops(model, value, model.step or _HOUR_MS))


def categorical_slider(model: Any, value: Any) -> Changes:
    return moved(among(model, value, model.categories, "categories"))


def _stops(model: Any, values: Any, step: float) -> list[float]:
    """Where the two handles can stand, neither of which passes the other."""
    low, high = pair(model, values)
    stops = [_stop(model, low, step), _stop(model, high, step)]
    if stops[0] > stops[1]:
        raise refuse(model, f"{low!r} is above {high!r}")
    return stops


def _stop(model: Any, value: Any, step: float) -> float:
    """The value as a number at which the slider can stand; dates are milliseconds since 1970."""
    number, start, end = _number(model, value), _number(model, model.start), _number(model, model.end)
    if not start <= number <= end:
        raise refuse(model, f"{value!r} is not between {model.start!r} and {model.end!r}")
    steps = (number - start) / step if step else 0.0
    if abs(steps - round(steps)) > _TOLERANCE and number != end:
        raise refuse(model, f"{value!r} is not at one of its steps: it starts at {model.start!r}, step {model.step!r}")
    return number


def _number(model: Any, value: Any) -> float:
    if isinstance(value, datetime.datetime):
        value = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return float(value.timestamp()) * 1000
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC).timestamp() * 1000
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise refuse(model, f"takes a number{' or a date' if 'Date' in type(model).__name__ else ''}, not {value!r}")
    return float(value)
