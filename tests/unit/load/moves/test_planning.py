"""What people do with each class of widget."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest

from app_server.load.moves.planning import KINDS, left_out, movable, plan
from app_server.load.outline import Model

CLICKS = {"type": "set", "entries": ["button_click", "menu_item_click"]}
DAY_MS = 86_400_000

WIDGETS: dict[str, dict[str, Any]] = {
    "AutocompleteInput": {"completions": ["north", "south"]},
    "Button": {"subscribed_events": CLICKS},
    "CategoricalSlider": {"categories": ["a", "b"], "value": "a"},
    "Checkbox": {},
    "CheckboxButtonGroup": {"labels": ["a", "b"], "active": [0]},
    "CheckboxGroup": {"labels": ["a"]},
    "ColorPicker": {},
    "DatePicker": {"value": "2024-02-29"},
    "DateRangeSlider": {"start": 0, "end": 30 * DAY_MS, "value": [DAY_MS, 2 * DAY_MS]},
    "DateSlider": {"start": 0, "end": 30 * DAY_MS, "value": DAY_MS},
    "DatetimeRangeSlider": {"start": 0, "end": 9 * DAY_MS, "value": [0, DAY_MS]},
    "Dropdown": {"menu": [["A", "a"], None, "b"], "subscribed_events": CLICKS},
    "MultiChoice": {"options": ["a", "b"]},
    "MultiSelect": {"options": [["a", "A"], ["b", "B"]], "value": ["a"]},
    "NumericInput": {},
    "RadioButtonGroup": {"labels": ["a", "b"], "active": 0},
    "RadioGroup": {"labels": ["a"]},
    "Range1d": {"start": 0, "end": 10},
    "RangeSlider": {"start": 0, "end": 1, "value": [0.1, 0.5], "step": 0.1},
    "Select": {"options": ["a", "b"], "value": "a"},
    "Slider": {"start": 0, "end": 5, "value": 1, "step": 0.1},
    "Spinner": {"low": 0, "high": 4, "value": 1},
    "Switch": {"active": True},
    "Tabs": {"tabs": [{"id": "p2"}, {"id": "p3"}]},
    "TextAreaInput": {},
    "TextInput": {"value": "before"},
    "Toggle": {"subscribed_events": CLICKS},
}


def widget(kind: str, **properties: Any) -> Model:
    return Model("p1", kind, properties)


def events(kind: str, seed: int = 1, **properties: Any) -> list[Any]:
    """All events of a move."""
    return [event for step in plan(widget(kind, **properties), Random(seed)) for event in step.events]


def values(kind: str, attr: str = "value", seed: int = 1, **properties: Any) -> list[Any]:
    """What a move sets a property to, one after the other."""
    return [event["new"] for event in events(kind, seed, **properties) if event.get("attr") == attr]


def test_every_class_has_a_case_here() -> None:
    assert set(WIDGETS) == KINDS


@pytest.mark.parametrize("kind", WIDGETS)
def test_every_class_is_moved_within_a_person_s_patience(kind: str) -> None:
    for seed in range(50):
        move = plan(widget(kind, **WIDGETS[kind]), Random(seed))
        assert move and sum(step.after_s for step in move) < 1
        assert all(orjson.loads(step.content())["events"] for step in move)


@pytest.mark.parametrize("kind", WIDGETS)
def test_same_seed_gives_the_same_people(kind: str) -> None:
    assert plan(widget(kind, **WIDGETS[kind]), Random(3)) == plan(widget(kind, **WIDGETS[kind]), Random(3))


@pytest.mark.parametrize("kind", WIDGETS)
@pytest.mark.parametrize("off", [{"disabled": True}, {"visible": False}])
def test_what_is_disabled_or_invisible_is_left_alone(kind: str, off: dict[str, bool]) -> None:
    assert plan(widget(kind, **{**WIDGETS[kind], **off}), Random(1)) == ()


@pytest.mark.parametrize("kind", WIDGETS)
@pytest.mark.parametrize("odd", [7, "text", None, [], {}, {"type": "number", "value": "nan"}, [{}], [[]], 1e300])
def test_properties_that_are_written_in_another_way_break_nothing(kind: str, odd: Any) -> None:
    for name in ("start", "end", "value", "step", "options", "labels", "tabs", "menu", "subscribed_events", "active"):
        plan(widget(kind, **{**WIDGETS[kind], name: odd}), Random(1))


def test_slider_is_dragged_along_its_steps_and_let_go() -> None:
    for seed in range(30):
        way = values("Slider", seed=seed, **WIDGETS["Slider"])
        assert 1 <= len(way) <= 5 and way[0] != 1 and way == sorted(way, reverse=way[-1] < 1)
        assert all(0 <= value <= 5 and abs(value * 10 - round(value * 10)) < 1e-6 for value in way)
        assert values("Slider", "value_throttled", seed, **WIDGETS["Slider"]) == [way[-1]]


def test_whole_numbers_are_written_as_browsers_write_them() -> None:
    for kind in ("Slider", "RangeSlider", "DateSlider"):
        widget = {"start": 1, "end": 60, "value": [7, 9] if kind == "RangeSlider" else 7}
        steps = plan(Model("p1", kind, widget), Random(2))
        assert steps and b"." not in b"".join(step.content() for step in steps)


def test_slider_without_a_way_is_not_moved() -> None:
    assert events("Slider", start=1, end=1, value=1) == []
    assert events("Slider", start={"type": "number", "value": "nan"}, end=1) == []


def test_date_slider_stops_at_days() -> None:
    way = values("DateSlider", **WIDGETS["DateSlider"])
    assert way and all(value % DAY_MS == 0 for value in way)


def test_range_slider_keeps_its_handles_in_order() -> None:
    for seed in range(50):
        assert all(low <= high for low, high in values("RangeSlider", seed=seed, **WIDGETS["RangeSlider"]))


@pytest.mark.parametrize(
    ("options", "known"),
    [
        (["a", "b"], {"a", "b"}),
        ([["a", "A"], ["b", "B"]], {"a", "b"}),
        ({"type": "map", "entries": [["group", ["a"]], ["other", [["b", "B"]]]]}, {"a", "b"}),
    ],
)
def test_select_chooses_another_of_its_options(options: Any, known: set[str]) -> None:
    assert {values("Select", seed=seed, options=options)[0] for seed in range(20)} == known
    assert all(values("Select", seed=seed, options=options, value="a") == ["b"] for seed in range(5))
    assert events("Select", options=["a"], value="a") == []


def test_multi_select_adds_or_removes_one() -> None:
    for seed in range(10):
        (new,) = values("MultiSelect", seed=seed, options=["a", "b", "c"], value=["b"])
        assert len({*new} ^ {"b"}) == 1


def test_button_is_pressed_only_if_the_application_listens() -> None:
    (click,) = events("Button", **WIDGETS["Button"])
    assert click["msg_type"] == "bokeh_event"
    assert click["msg_data"] == {
        "type": "event",
        "name": "button_click",
        "values": {"type": "map", "entries": [["model", {"id": "p1"}]]},
    }
    assert events("Button") == []


def test_menu_item_is_reported_by_its_value() -> None:
    items = {
        events("Dropdown", seed, **WIDGETS["Dropdown"])[0]["msg_data"]["values"]["entries"][1][1] for seed in range(9)
    }
    assert items == {"a", "b"}


def test_text_is_typed_letter_by_letter() -> None:
    typed = values("TextInput", "value_input")
    assert [len(text) for text in typed] == [1, 2, 3, 4]
    assert values("TextInput") == [typed[-1]]


@pytest.mark.parametrize("properties", [{"low": 3, "high": 5}, {"low": 3}, {"high": 3}, {}])
def test_number_stays_within_its_bounds(properties: dict[str, int]) -> None:
    for seed in range(20):
        (new,) = values("NumericInput", seed=seed, **properties)
        assert properties.get("low", -(10**9)) <= new <= properties.get("high", 10**9) and isinstance(new, int)
    assert values("NumericInput", low=3, high=3, value=3) == []


def test_date_stays_within_its_bounds() -> None:
    days = {values("DatePicker", seed=seed, min_date="2024-01-30", max_date="2024-02-02")[0] for seed in range(40)}
    assert days == {"2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"}


def test_range_of_a_plot_keeps_its_length_and_moves_both_ends_at_once() -> None:
    for step in plan(widget("Range1d", start=10, end=20), Random(1)):
        low, high = (event["new"] for event in step.events)
        assert high - low == pytest.approx(10) and low != 10


def test_movable_and_left_out_are_told_apart() -> None:
    models = [
        widget("Slider"), widget("Button"), widget("PasswordInput"), widget("Div"), widget("Figure"),
        widget("panel.models.widgets.Player"),
    ]  # fmt: skip
    assert [each.kind for each in movable(models)] == ["Slider"]
    assert left_out(models) == {"Button": 1, "PasswordInput": 1, "panel.models.widgets.Player": 1}
