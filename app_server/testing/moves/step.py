"""What moves have in common: values as browsers write them, and the refusal of what no person could do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app_server.load.moves.step import as_in_browsers
from app_server.testing.errors import CannotDo, hidden
from app_server.testing.outline import says

__tracebackhide__ = hidden

Changes = Sequence[Mapping[str, Any]]
"""The properties that are set, message by message."""

Planner = Callable[[Any, Any], Changes]
"""Takes a widget and the value that it is to get; raises CannotDo if no person could choose that."""


def refuse(model: Any, why: str) -> CannotDo:
    """The error for what cannot be done with this widget."""
    return CannotDo(f"{says(model)}: {why}")


def one(name: str, value: Any) -> Changes:
    """One message that sets one property."""
    return ({name: as_in_browsers(value)},)


def moved(value: Any) -> Changes:
    """What a slider sends that was moved and let go."""
    value = as_in_browsers(value)
    return ({"value": value}, {"value_throttled": value})


def listed(values: Any, most: int = 12) -> str:
    """Some of these values, for an error."""
    values = list(values)
    more = f", and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(repr(value) for value in values[:most]) + more


def among(model: Any, value: Any, offered: Sequence[Any], what: str = "options") -> Any:
    """The value, which must be one of those that are offered."""
    if value not in offered:
        raise refuse(model, f"{value!r} is not among its {what}: {listed(offered)}")
    return value


def several(model: Any, values: Any) -> list[Any]:
    """The values as a list."""
    if isinstance(values, str) or not isinstance(values, list | tuple | set | range):
        raise refuse(model, f"takes a list, not {values!r}")
    return list(values)


def pair(model: Any, value: Any) -> tuple[Any, Any]:
    """The two values."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refuse(model, f"takes two values, not {value!r}")
    return value[0], value[1]
