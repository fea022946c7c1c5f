"""Moves of buttons, menus, boxes and fields."""

from __future__ import annotations

import datetime
import string
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from app_server.load.moves.step import Move, Step, another, changed, fired, number, one, other, stop
from app_server.load.outline import Model

KEYS: Final = 4
KEY_S: Final = 0.15
"""Four letters of someone who types 80 words a minute."""


def _options(model: Model) -> list[Any]:
    """The values that a select offers, whether its options are a list, pairs, or lists by group."""
    options = model.properties.get("options")
    if isinstance(options, dict):
        options = [option for entry in options.get("entries", ()) for option in entry[1]]
    return [option[0] if isinstance(option, list) else option for option in options or ()]


def select(model: Model, random: Random) -> Move:
    new = another(_options(model), model.properties.get("value"), random)
    return () if new is None else one(model, "value", new)


def multi_select(model: Model, random: Random) -> Move:
    options, now = _options(model), model.properties.get("value", [])
    if not options:
        return ()
    chosen = random.choice(options)
    return one(model, "value", [option for option in options if (option in now) != (option == chosen)])


def completed(model: Model, random: Random) -> Move:
    new = another(model.properties.get("completions"), model.properties.get("value"), random)
    return () if new is None else one(model, "value", new)


def button(model: Model, random: Random) -> Move:
    """BokehJS reports a click only to an application that listens."""
    return (Step(0.0, (fired(model, "button_click"),)),) if "button_click" in _subscribed(model) else ()


def _subscribed(model: Model) -> Sequence[str]:
    events = model.properties.get("subscribed_events")
    return list(events.get("entries", ())) if isinstance(events, dict) else events if isinstance(events, list) else ()


def toggle(model: Model, random: Random) -> Move:
    return (*flag(model, random), *button(model, random))


def flag(model: Model, random: Random) -> Move:
    return one(model, "active", not model.properties.get("active", False))


def dropdown(model: Model, random: Random) -> Move:
    menu = model.properties.get("menu")
    items = [item for item in menu if item is not None] if isinstance(menu, list) else []
    if not items or "menu_item_click" not in _subscribed(model):
        return ()
    item = random.choice(items)
    return (Step(0.0, (fired(model, "menu_item_click", item=item[1] if isinstance(item, list) else item),)),)


def _count(model: Model, attr: str) -> int:
    labels = model.properties.get(attr)
    return len(labels) if isinstance(labels, list) else 0


def radio(model: Model, random: Random) -> Move:
    return _chosen(model, _count(model, "labels"), None, random)


def tabs(model: Model, random: Random) -> Move:
    return _chosen(model, _count(model, "tabs"), 0, random)


def _chosen(model: Model, count: int, default: int | None, random: Random) -> Move:
    now = model.properties.get("active", default)
    rest = [nth for nth in range(count) if nth != now]
    return one(model, "active", random.choice(rest)) if rest else ()


def checkboxes(model: Model, random: Random) -> Move:
    count, now = _count(model, "labels"), model.properties.get("active", [])
    if not count or not isinstance(now, list):
        return ()
    return one(model, "active", sorted({*now} ^ {random.randrange(count)}))


def text(model: Model, random: Random) -> Move:
    word = "".join(random.choice(string.ascii_lowercase) for _ in range(KEYS))
    typed = [
        Step(KEY_S if size > 1 else 0.0, (changed(model, "value_input", word[:size]),)) for size in range(1, KEYS + 1)
    ]
    return (*typed, Step(KEY_S, (changed(model, "value", word),)))


def numeric(model: Model, random: Random) -> Move:
    low, high = (number(model.properties.get(name)) for name in ("low", "high"))
    low = low if low is not None else 0.0 if high is None else high - 100.0
    high = high if high is not None else low + 100.0
    step = number(model.properties.get("step"), 1.0) or 1.0
    stops = max(0, int((high - low) / step))
    now = number(model.properties.get("value"))
    begin = -1 if now is None else round((now - low) / step)
    new = stop(low, high, step, other(random, stops + 1, begin))
    whole = model.properties.get("mode", "int") == "int" and model.kind == "NumericInput"
    return () if new == now else one(model, "value", int(new) if whole else new)


def date(model: Model, random: Random) -> Move:
    first, last = (_day(model.properties.get(name)) for name in ("min_date", "max_date"))
    now = _day(model.properties.get("value"))
    first = first or (now or last or datetime.date(2024, 6, 15)) - datetime.timedelta(days=15)
    last = max(first, last or first + datetime.timedelta(days=30))
    days = (last - first).days + 1
    chosen = first + datetime.timedelta(days=other(random, days, (now - first).days if now else -1))
    return () if chosen == now else one(model, "value", chosen.isoformat())


def _day(value: Any) -> datetime.date | None:
    try:
        if isinstance(value, str):
            return datetime.date.fromisoformat(value[:10])
        if isinstance(value, int | float):
            return datetime.datetime.fromtimestamp(value / 1000, datetime.UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None


def colour(model: Model, random: Random) -> Move:
    return one(model, "color", f"#{random.randrange(1 << 24):06x}")
