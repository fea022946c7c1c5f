"""Someone who does not know an application and tries every widget once, in the order in which a page shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.peers.visits import Visit

Attributes = Mapping[str, Any]


def try_everything(visit: Visit) -> None:
    """Set each widget to something else, press each button, tap each plot, and select points of each source."""
    for number, ident, kind, attributes in visit.models():
        for change in _changes(kind, attributes):
            visit.send({"kind": "ModelChanged", "model": {"id": ident}, **change})
        for event in _EVENTS.get(kind, ()):
            visit.event(event, **{"model": {"id": ident}, **_point(number)})


def _point(number: int) -> dict[str, object]:
    return {"sx": 10, "sy": 20, "x": number / 10, "y": 0.5, "modifiers": {"type": "map"}}


def _changes(kind: str, attributes: Attributes) -> Iterator[dict[str, object]]:
    find = _VALUES.get(kind)
    found = find(attributes) if find is not None else {}
    yield from ({"attr": attr, "new": value} for attr, value in found.items() if value is not None)


def _end(attributes: Attributes) -> dict[str, object]:
    end = attributes.get("end", 1)
    return {"value": end, "value_throttled": end}


def _both_ends(attributes: Attributes) -> dict[str, object]:
    ends = [attributes.get("start", 0), attributes.get("end", 1)]
    return {"value": ends, "value_throttled": ends}


def _last_option(attributes: Attributes) -> dict[str, object]:
    options = attributes.get("options") or [None]
    if isinstance(options, dict):  # in groups
        options = options.get("entries", [[None, [None]]])[-1][1]
    last = options[-1]
    return {"value": last[0] if isinstance(last, list) else last}


def _all_options(attributes: Attributes) -> dict[str, object]:
    options = attributes.get("options", [])
    return {"value": [option[0] if isinstance(option, list) else option for option in options]}


def _all_labels(attributes: Attributes) -> dict[str, object]:
    return {"active": list(range(len(attributes.get("labels", []))))}


def _last_label(attributes: Attributes) -> dict[str, object]:
    return {"active": len(attributes.get("labels", [])) - 1}


def _last_tab(attributes: Attributes) -> dict[str, object]:
    return {"active": max(0, len(attributes.get("tabs", [])) - 1)}


_VALUES: dict[str, Callable[[Attributes], dict[str, object]]] = {
    **dict.fromkeys(("Slider", "DateSlider", "DatetimeSlider"), _end),
    **dict.fromkeys(("RangeSlider", "DateRangeSlider", "DatetimeRangeSlider"), _both_ends),
    "Select": _last_option,
    **dict.fromkeys(("MultiSelect", "MultiChoice"), _all_options),
    **dict.fromkeys(("CheckboxGroup", "CheckboxButtonGroup"), _all_labels),
    **dict.fromkeys(("RadioGroup", "RadioButtonGroup"), _last_label),
    "Tabs": _last_tab,
    **dict.fromkeys(("Toggle", "Checkbox", "Switch"), lambda attributes: {"active": not attributes.get("active")}),
    **dict.fromkeys(("TextInput", "TextAreaInput", "AutocompleteInput"), lambda attributes: {"value": "tried"}),
    **dict.fromkeys(("Spinner", "NumericInput"), lambda attributes: {"value": attributes.get("high", 1)}),
    "ColorPicker": lambda attributes: {"color": "#123456"},
    "DatePicker": lambda attributes: {"value": attributes.get("max_date") or attributes.get("value")},
    "Selection": lambda attributes: {"indices": [0]},
    "Range1d": lambda attributes: {"start": attributes.get("start", 0)},
}
_EVENTS = {"Button": ("button_click",), "Figure": ("tap", "doubletap"), "Dropdown": ("button_click",)}
