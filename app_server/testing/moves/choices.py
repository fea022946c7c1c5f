"""Menus, boxes, buttons that stay pressed, and tabs."""

from __future__ import annotations

from typing import Any

from app_server.testing.errors import hidden
from app_server.testing.moves.step import Changes, among, listed, one, refuse, several

__tracebackhide__ = hidden


def options(model: Any) -> list[Any]:
    """The values that a menu offers, whether its options are a list, pairs, or lists by group."""
    offered = model.options
    if isinstance(offered, dict):
        offered = [option for group in offered.values() for option in group]
    return [option[0] if isinstance(option, list | tuple) else option for option in offered]


def select(model: Any, value: Any) -> Changes:
    return one("value", among(model, value, options(model)))


def multi_select(model: Any, value: Any) -> Changes:
    chosen, offered = several(model, value), options(model)
    most = getattr(model, "max_items", None)
    if most is not None and len(chosen) > most:
        raise refuse(model, f"takes at most {most} items")
    return one("value", [among(model, each, offered) for each in chosen])


def palette(model: Any, value: Any) -> Changes:
    return one("value", among(model, value, [item[0] for item in model.items], "items"))


def flag(model: Any, value: Any) -> Changes:
    if not isinstance(value, bool):
        raise refuse(model, f"is on or off: set active to True or False, not {value!r}")
    return one("active", value)


def radio(model: Any, value: Any) -> Changes:
    return one("active", index(model, value, model.labels))


def checkboxes(model: Any, value: Any) -> Changes:
    return one("active", sorted({index(model, each, model.labels) for each in several(model, value)}))


def tabs(model: Any, value: Any) -> Changes:
    nth = index(model, value, [tab.title for tab in model.tabs], "tabs")
    if model.tabs[nth].disabled:
        raise refuse(model, f"the tab {model.tabs[nth].title!r} is disabled")
    return one("active", nth)


def index(model: Any, value: Any, labels: list[str], what: str = "labels") -> int:
    """The place of a label, which may be given itself."""
    if isinstance(value, str):
        return labels.index(among(model, value, labels, what))
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(labels):
        raise refuse(model, f"{value!r} is not one of its {len(labels)} {what}: {listed(labels)}")
    return value
