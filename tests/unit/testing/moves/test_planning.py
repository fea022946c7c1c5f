"""Each class of widget has its property; of classes that are not known, any may be set."""

from __future__ import annotations

import bokeh.models.widgets as widgets
import pytest
from bokeh.models import Div, Range1d, Slider

from app_server.testing.errors import CannotDo
from app_server.testing.moves.planning import plan, property_of

NOT_SET = {"Button", "Dropdown", "FileInput", "HelpButton", "Div", "Paragraph", "PreText", "Markdown", "Progress",
           "DataTable", "DataCube", "TableWidget"}  # fmt: skip
"""What a person clicks, uploads to, or only reads."""


def test_every_widget_of_bokeh_has_a_property_or_none_that_a_person_sets() -> None:
    concrete = {
        name
        for name, kind in vars(widgets).items()
        if isinstance(kind, type) and issubclass(kind, widgets.Widget) and "__init__" in vars(kind)
    }
    without = {name for name in concrete if property_of(_bare(getattr(widgets, name))) is None}
    assert without & concrete <= NOT_SET | {name for name in concrete if name.startswith("Abstract")} | {
        "Widget", "InputWidget", "Markup", "ToggleButtonGroup", "ToggleInputGroup"
    }  # fmt: skip


def _bare(kind: type) -> object:
    """An object of this class that was not initialized: only its class is looked at."""
    return kind.__new__(kind)


def test_only_its_property_is_set() -> None:
    slider = Slider(start=0, end=1, step=1, value=0)
    for values, why in (({"start": 3}, "not start"), ({}, "which is not given"), ({"value": 1, "end": 2}, "not end")):
        with pytest.raises(CannotDo, match=f"Slider: a person changes its value, {why}"):
            plan(slider, values)


def test_other_models_take_any_of_their_properties() -> None:
    assert plan(Range1d(), {"start": 1.0, "end": 2.5}) == ({"start": 1, "end": 2.5},)
    with pytest.raises(CannotDo, match="Div: has no property 'word'"):
        plan(Div(), {"word": 1})
