"""Which move belongs to which class of widget.

A move is planned from what the page knows of the widget, and from a random generator that is passed in, so the same
seed gives the same people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

from app_server.load.moves import inputs, sliders
from app_server.load.moves.step import Move, Planner
from app_server.load.outline import Model

_PLANNERS: Final[Mapping[str, Planner]] = {
    "AutocompleteInput": inputs.completed,
    "Button": inputs.button,
    "CategoricalSlider": sliders.categorical_slider,
    "Checkbox": inputs.flag,
    "CheckboxButtonGroup": inputs.checkboxes,
    "CheckboxGroup": inputs.checkboxes,
    "ColorPicker": inputs.colour,
    "DatePicker": inputs.date,
    "DateRangeSlider": sliders.date_range_slider,
    "DateSlider": sliders.date_slider,
    "DatetimeRangeSlider": sliders.datetime_range_slider,
    "Dropdown": inputs.dropdown,
    "MultiChoice": inputs.multi_select,
    "MultiSelect": inputs.multi_select,
    "NumericInput": inputs.numeric,
    "RadioButtonGroup": inputs.radio,
    "RadioGroup": inputs.radio,
    "Range1d": sliders.pan,
    "RangeSlider": sliders.range_slider,
    "Select": inputs.select,
    "Slider": sliders.slider,
    "Spinner": inputs.numeric,
    "Switch": inputs.flag,
    "Tabs": inputs.tabs,
    "TextAreaInput": inputs.text,
    "TextInput": inputs.text,
    "Toggle": inputs.toggle,
}

_MISREAD: Final = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""What comes of properties that another version of Bokeh, or an extension, writes in another way."""

KINDS: Final = frozenset(_PLANNERS)
"""The classes that people are known to use."""

_NO_WIDGETS: Final = frozenset({"Range1d"})
"""What can be moved, but is not missed where it cannot: a plot has more ranges than people see."""

_INPUTS_LEFT_OUT: Final = frozenset(
    {"DateRangePicker", "DatetimePicker", "DatetimeRangePicker", "FileInput", "MultipleDatePicker",
     "MultipleDatetimePicker", "PaletteSelect", "PasswordInput", "TimePicker", "DataTable", "DataCube"}
)  # fmt: skip


def plan(model: Model, random: Random) -> Move:
    """What a person does with this widget next; empty if there is nothing to do with it."""
    planner = _PLANNERS.get(model.kind)
    if planner is None or model.properties.get("disabled") is True or model.properties.get("visible") is False:
        return ()
    try:
        return planner(model, random)
    except _MISREAD:
        return ()


def movable(models: Iterable[Model]) -> list[Model]:
    """The models among these that a person can do something with now."""
    random = Random(0)
    return [model for model in models if model.kind in _PLANNERS and plan(model, random)]


def left_out(models: Iterable[Model]) -> dict[str, int]:
    """How many widgets of each class the page has that are not used, or that nothing can be done with."""
    random = Random(0)
    found: dict[str, int] = {}
    for model in models:
        idle = model.kind in KINDS - _NO_WIDGETS and not plan(model, random)
        if idle or model.kind in _INPUTS_LEFT_OUT or _looks_like_an_input(model.kind):
            found[model.kind] = found.get(model.kind, 0) + 1
    return found


def _looks_like_an_input(kind: str) -> bool:
    """Whether a class of an extension, whose name has dots, is a widget by its name."""
    return "." in kind and ".widgets." in kind
