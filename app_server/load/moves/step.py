"""A move as the messages that BokehJS would send, and what moves have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson

from app_server.load.outline import Model

Event = Mapping[str, Any]

DRAG_STEPS: Final = 5
DRAG_STEP_S: Final = 0.06
"""A drag of a third of a second: a hand that moves a slider passes a few values, and BokehJS sends each."""


@dataclass(frozen=True, slots=True)
class Step:
    """One message: how many seconds after the one before, and its events."""

    after_s: float
    events: tuple[Event, ...]

    def content(self) -> bytes:
        """The content of the PATCH-DOC."""
        return orjson.dumps({"events": self.events})


Move = tuple[Step, ...]
Planner = Callable[[Model, Random], Move]


def changed(model: Model, attr: str, new: Any) -> Event:
    """The event of a property that was set in the browser."""
    return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": as_in_browsers(new)}


def as_in_browsers(value: Any) -> Any:
    """The value as JavaScript writes it, where 7.0 is 7: callbacks may rely on a whole number."""
    if isinstance(value, list):
        return [as_in_browsers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def fired(model: Model, name: str, **values: Any) -> Event:
    """The event of something that happened to a model, such as a click."""
    entries = [["model", {"id": model.id}], *([key, value] for key, value in values.items())]
    data = {"type": "event", "name": name, "values": {"type": "map", "entries": entries}}
    return {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}


def one(model: Model, attr: str, new: Any) -> Move:
    """The move that sets one property once."""
    return (Step(0.0, (changed(model, attr, new),)),)


def drag(model: Model, values: Sequence[Any]) -> Move:
    """Each value on the way, and the last one again as what the slider was left at."""
    steps = [Step(DRAG_STEP_S if nth else 0.0, (changed(model, "value", value),)) for nth, value in enumerate(values)]
    return (*steps, Step(0.0, (changed(model, "value_throttled", values[-1]),))) if steps else ()


def number(value: Any, default: float | None = None) -> float | None:
    """The value if it is a number, else the default."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def other(random: Random, count: int, now: int) -> int:
    """A number below `count` that is another one than `now`, if there is one."""
    found = random.randrange(max(1, count - 1 if 0 <= now < count else count))
    return found + 1 if 0 <= now < count and found >= now and count > 1 else found


def another(options: Any, now: Any, random: Random) -> Any:
    """One of these that is not chosen now, None if there is none."""
    rest = [option for option in options or () if option != now] if isinstance(options, list) else []
    return random.choice(rest) if rest else None


def stop(low: float, high: float, step: float, nth: int) -> float:
    """The value after so many steps; without a step the way has a thousand."""
    return min(high, round(low + nth * step, 10)) if step > 0 else low + (high - low) * nth / 1000
