"""Fields that are typed into: texts, numbers, dates, times and colours."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any

from app_server.testing.errors import hidden
from app_server.testing.moves.step import Changes, among, one, refuse, several

__tracebackhide__ = hidden


def text(model: Any, value: Any) -> Changes:
    """What a field sends into which a text was put, such as by pasting, and that was left then."""
    if not isinstance(value, str):
        raise refuse(model, f"takes a text, not {value!r}")
    most = getattr(model, "max_length", None)
    if most is not None and len(value) > most:
        raise refuse(model, f"takes at most {most} characters, and {value!r} has {len(value)}")
    return ({"value_input": value}, {"value": value})


def completed(model: Any, value: Any) -> Changes:
    if model.restrict:
        among(model, value, model.completions, "completions")
    return text(model, value)


def numeric(model: Any, value: Any) -> Changes:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise refuse(model, f"takes a number, not {value!r}")
    if value is not None and model.mode == "int" and value != int(value):
        raise refuse(model, f"takes whole numbers, not {value!r}")
    for bound, beyond in ((model.low, "below"), (model.high, "above")):
        if None not in (bound, value) and (value < bound if beyond == "below" else value > bound):
            raise refuse(model, f"{value!r} is {beyond} {bound!r}")
    return one("value", value)


def spinner(model: Any, value: Any) -> Changes:
    typed = numeric(model, value)
    return (*typed, {"value_throttled": typed[0]["value"]})


def date(model: Any, value: Any) -> Changes:
    return one("value", _date(model, value))


def dates(model: Any, value: Any) -> Changes:
    return one("value", [_date(model, each) for each in several(model, value)])


def time(model: Any, value: Any) -> Changes:
    return one("value", value.isoformat() if isinstance(value, datetime.time) else value)


def colour(model: Any, value: Any) -> Changes:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise refuse(model, f"a browser gives a colour as #rrggbb, not {value!r}")
    return one("color", value.lower())


def _date(model: Any, value: Any) -> str:
    """A day, or a day with its time, as a picker sends it: in ISO 8601."""
    given = value.isoformat() if isinstance(value, datetime.date) else value
    day = _day(given)
    if day is None or not isinstance(given, str):
        raise refuse(model, f"takes a date, or one as YYYY-MM-DD, not {value!r}")
    first, last = _day(model.min_date), _day(model.max_date)
    if (first is not None and day < first) or (last is not None and day > last):
        raise refuse(model, f"{given} is not between {first or 'any day'} and {last or 'any day'}")
    enabled = getattr(model, "enabled_dates", None)
    if _is_among(day, getattr(model, "disabled_dates", None) or ()) or (enabled and not _is_among(day, enabled)):
        raise refuse(model, f"{given} cannot be chosen")
    return given


def _is_among(day: datetime.date, given: Iterable[Any]) -> bool:
    """Whether the day is one of these, or lies in one of these pairs of first and last days."""
    for each in given:
        first, last = map(_day, each if isinstance(each, list | tuple) else (each, each))
        if first is not None and last is not None and first <= day <= last:
            return True
    return False


def _day(value: Any) -> datetime.date | None:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        return None
