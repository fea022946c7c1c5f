"""Components that are made of others get their values as from a person, who uses the parts."""

from __future__ import annotations

import datetime
import importlib
from typing import Any

import pytest

from app_server.guests.acts.composites import steps
from app_server.testing import CannotDo, open_app

pn: Any

EARLY, LATE = datetime.datetime(2025, 1, 1), datetime.datetime(2025, 12, 1)


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn
    pn = importlib.import_module("panel")


def kept(app: Any, widget: Any, *values: Any) -> list[Any]:
    """What the widget has become of each of these values, and its last `value_throttled`."""
    became = []
    for value in values:
        app.set(widget, value=value)
        became.append(widget.value)
    return [*became, getattr(widget, "value_throttled", None)]


def test_sliders_with_fields_are_moved_to_their_stops_and_typed_into_between_and_beyond() -> None:
    number = pn.widgets.EditableFloatSlider(label="Number", start=0, end=9, step=0.5)
    pair = pn.widgets.EditableRangeSlider(label="Pair", start=0, end=9, step=0.5)
    fixed = pn.widgets.EditableIntSlider(label="Fixed", start=0, end=9, editable=False)
    with open_app(pn.Column(number, pair, fixed)) as app:
        assert kept(app, number, 3, 4.25, 12) == [3, 4.25, 12, 12]
        assert kept(app, pair, (2, 4.5), (5, 6.25), (1, 1.25)) == [(2, 4.5), (5, 6.25), (1, 1.25), (1, 1.25)]
        assert kept(app, fixed, 9) == [9, 9]
        with pytest.raises(CannotDo, match="Spinner is disabled"):
            app.set(fixed, value=10)


def test_slider_of_options_stops_at_them() -> None:
    slider = pn.widgets.DiscreteSlider(label="Power", options={"one": 1, "ten": 10, "none": None})
    with open_app(pn.Column(slider, pn.bind(lambda power: f"power {power}", slider))) as app:
        assert kept(app, slider, 10, None, 1, 10) == [10, None, 1, 10, 10]
        assert app.find(text="power 10")
        with pytest.raises(CannotDo, match=r"DiscreteSlider .* cannot show value=7$"):
            app.set(slider, value=7)


def test_both_ends_are_typed_in_an_order_that_is_allowed() -> None:
    notes: list[Any] = []
    both = pn.widgets.DatetimeRangeInput(label="Both", start=EARLY, end=LATE, value=(EARLY, EARLY))
    both.param.watch(lambda event: notes.append(event.new), "value")
    with open_app(pn.Column(both)) as app:
        app.set(both, value=(LATE, LATE))
        app.set(both, value=(EARLY, EARLY))
    assert notes == [(EARLY, LATE), (LATE, LATE), (EARLY, LATE), (EARLY, EARLY)]


def test_menus_that_depend_on_others_are_used_one_after_the_other() -> None:
    options = {"a": {"x": [1]}, "b": {"y": [2], "z": [3, 4]}}
    menus = pn.widgets.NestedSelect(options=options, levels=["first", "second", {"name": "third"}])
    with open_app(pn.Column(menus)) as app:
        app.set(menus, value={"first": "b", "second": "z", "third": 4})
        assert menus.value == {"first": "b", "second": "z", "third": 4}
        with pytest.raises(CannotDo, match="is not among its options|cannot show"):
            app.set(menus, value={"second": "x"})
        with pytest.raises(CannotDo, match="cannot show value={'fourth': 1}"):
            app.set(menus, value={"fourth": 1})


def test_items_are_moved_from_one_list_to_the_other() -> None:
    lists = pn.widgets.CrossSelector(options={"A": 1, "B": 2, "C": 3}, value=[1])
    with open_app(pn.Column(lists)) as app:
        assert kept(app, lists, [2, 3], [3], [3], [], [1])[:-1] == [[2, 3], [3], [3], [], [1]]
        with pytest.raises(CannotDo, match=r"CrossSelector .* cannot show value=\[4\]$"):
            app.set(lists, value=[4])


def test_cards_are_opened_and_closed_by_their_headers() -> None:
    button = pn.widgets.Button(label="Inside")
    cards = pn.Accordion(("A", button), ("B", "text"), ("C", "text"))
    with open_app(pn.Column(cards)) as app:
        app.set(cards, active=[0, 2])
        app.click(button)
        app.set(cards, active=[1])
        assert (cards.active, button.clicks) == ([1], 1)
        with pytest.raises(CannotDo, match="which is collapsed"):
            app.click(button)


def test_other_components_and_parameters_have_no_steps() -> None:
    assert steps(pn.widgets.IntSlider(), {"value": 1}) is None
    assert steps(pn.widgets.DiscreteSlider(options=[1, 2]), {"options": [1]}) is None
    assert steps("text", {"value": 1}) is None
