"""Which moves belong to which class of widget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app_server.load.moves.step import as_in_browsers
from app_server.testing.errors import hidden
from app_server.testing.moves import choices, fields, sliders
from app_server.testing.moves.step import Changes, Planner, refuse

__tracebackhide__ = hidden

_PLANNERS: Final[Mapping[str, tuple[str, Planner]]] = {
    "AutocompleteInput": ("value", fields.completed),
    "CategoricalSlider": ("value", sliders.categorical_slider),
    "Checkbox": ("active", choices.flag),
    "CheckboxButtonGroup": ("active", choices.checkboxes),
    "CheckboxGroup": ("active", choices.checkboxes),
    "ColorPicker": ("color", fields.colour),
    "DatePicker": ("value", fields.date),
    "DateRangePicker": ("value", fields.dates),
    "DateRangeSlider": ("value", sliders.date_range_slider),
    "DateSlider": ("value", sliders.date_slider),
    "DatetimePicker": ("value", fields.date),
    "DatetimeRangePicker": ("value", fields.dates),
    "DatetimeRangeSlider": ("value", sliders.datetime_range_slider),
    "DatetimeSlider": ("value", sliders.datetime_slider),
    "MultiChoice": ("value", choices.multi_select),
    "MultiSelect": ("value", choices.multi_select),
    "MultipleDatePicker": ("value", fields.dates),
    "MultipleDatetimePicker": ("value", fields.dates),
    "NumericInput": ("value", fields.numeric),
    "PaletteSelect": ("value", choices.palette),
    "RadioButtonGroup": ("active", choices.radio),
    "RadioGroup": ("active", choices.radio),
    "RangeSlider": ("value", sliders.range_slider),
    "Select": ("value", choices.select),
    "Slider": ("value", sliders.slider),
    "Spinner": ("value", fields.spinner),
    "Switch": ("active", choices.flag),
    "Tabs": ("active", choices.tabs),
    "TextLikeInput": ("value", fields.text),
    "TimePicker": ("value", fields.time),
    "Toggle": ("active", choices.flag),
}
"""The property of each class that a person changes, and how."""


def plan(model: Any, values: Mapping[str, Any]) -> Changes:
    """The messages of a person who gives the widget these values; CannotDo if no person could.

    Of a class that is not known, any property may be set.
    """
    found = _planner_of(model)
    if found is None:
        unknown = sorted(set(values) - set(model.properties()))
        if unknown:
            raise refuse(model, f"has no property {unknown[0]!r}")
        return ({name: as_in_browsers(value) for name, value in values.items()},)
    name, planner = found
    if set(values) != {name}:
        other = next((each for each in values if each != name), None)
        asked = f"not {other}" if other else "which is not given"
        raise refuse(model, f"a person changes its {name}, {asked}")
    return planner(model, values[name])


def property_of(model: Any) -> str | None:
    """The property of the widget that a person changes; None for a class that is not known."""
    found = _planner_of(model)
    return None if found is None else found[0]


def _planner_of(model: Any) -> tuple[str, Planner] | None:
    return next((_PLANNERS[kind.__name__] for kind in type(model).__mro__ if kind.__name__ in _PLANNERS), None)
