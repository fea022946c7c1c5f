"""Components that are made of others: what a person does with these to give the whole a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from app_server.guests.guest import Step

_TOLERANCE: Final = 1e-6
"""How far from a stop of a slider, in steps, a value may be that was computed with floating-point numbers."""


def steps(thing: Any, values: Mapping[str, Any]) -> Iterator[Step] | None:
    """What is done one after the other, as the parts are by then; None if this is not such a component."""
    kinds = [kind.__name__ for kind in type(thing).__mro__]
    name, found = next((_STEPS[kind] for kind in kinds if kind in _STEPS), ("", None))
    # With JavaScript of its own, as in panel-material-ui, a component has no parts.
    if found is None or set(values) != {name} or "ReactiveCustomBase" in kinds:
        return None
    return found(thing, values[name])


def _editable_slider(thing: Any, value: Any) -> Iterator[Step]:
    """The slider is moved if it stops there; else the number is typed."""
    yield (thing._slider if _stops_at(thing._slider, value) else thing._value_edit), {"value": value}


def _editable_range(thing: Any, value: Any) -> Iterator[Step]:
    low, high = value
    if _stops_at(thing._slider, low) and _stops_at(thing._slider, high):
        yield thing._slider, {"value": (low, high)}
    else:
        yield from _both_ends(thing._start_edit, thing._end_edit, low, high)


def _datetime_range(thing: Any, value: Any) -> Iterator[Step]:
    yield from _both_ends(thing._start, thing._end, *value)


def _both_ends(start: Any, end: Any, low: Any, high: Any) -> Iterator[Step]:
    """Both fields, in an order in which the first is never above the second."""
    filled = [(start, {"value": low}), (end, {"value": high})]
    yield from reversed(filled) if end.value is not None and low > end.value else filled


def _stops_at(slider: Any, value: Any) -> bool:
    if not slider.start <= value <= slider.end:
        return False
    passed = (value - slider.start) / slider.step
    return bool(value == slider.end or abs(passed - round(passed)) < _TOLERANCE)


def _discrete_slider(thing: Any, value: Any) -> Iterator[Step]:
    for place, each in enumerate(thing.values):
        if each is value or each == value:
            yield thing._slider, {"value": place}
            return


def _nested_select(thing: Any, value: Mapping[Any, Any]) -> Iterator[Step]:
    """One menu after the other; each offers what belongs to the choice before."""
    for place in range(len(thing._levels)):
        level = thing._levels[place]
        name = level.get("name", place) if isinstance(level, Mapping) else level
        if name in value:
            yield thing._widgets[place], {"value": value[name]}


def _cross_selector(thing: Any, value: Any) -> Iterator[Step]:
    """What is not wanted is moved to the left, what is missing to the right."""
    wanted = [label for label, each in thing._items.items() if each in value]
    if len(wanted) < len(value):
        return
    yield thing._lists[False], {"value": []}
    there = [label for label, each in thing._items.items() if each in thing.value]
    for side, labels in ((True, [each for each in there if each not in wanted]),
                         (False, [each for each in wanted if each not in there])):  # fmt: skip
        if labels:
            yield thing._lists[side], {"value": labels}
            yield thing._buttons[not side], None


def _accordion(thing: Any, active: Any) -> Iterator[Step]:
    """The headers of those cards are clicked that are to be opened or closed."""
    for place, shown in enumerate(thing.objects):
        card = thing._panels[id(shown)]
        if card.collapsed is (place in active):
            yield card, None


_STEPS: Final[Mapping[str, tuple[str, Callable[[Any, Any], Iterator[Step]]]]] = {
    "Accordion": ("active", _accordion),
    "CrossSelector": ("value", _cross_selector),
    "DatetimeRangeInput": ("value", _datetime_range),
    "DiscreteSlider": ("value", _discrete_slider),
    "EditableRangeSlider": ("value", _editable_range),
    "NestedSelect": ("value", _nested_select),
    "_EditableContinuousSlider": ("value", _editable_slider),
}
"""The parameter of each class that a person changes, and how."""
