"""What is chosen is on offer."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models import (
    CheckboxGroup,
    Div,
    MultiChoice,
    MultiSelect,
    PaletteSelect,
    RadioGroup,
    Select,
    Switch,
    TabPanel,
    Tabs,
    Toggle,
)

from app_server.testing.errors import CannotDo
from app_server.testing.moves.choices import options
from app_server.testing.moves.planning import plan

GROUPED = Select(options={"one": ["a"], "two": [("b", "Bee")]})
TABS = Tabs(tabs=[TabPanel(title="One", child=Div()), TabPanel(title="Two", child=Div(), disabled=True)], active=1)


def test_options_are_the_values_whatever_shows_them() -> None:
    assert options(GROUPED) == ["a", "b"]
    assert options(Select(options=["x", ("y", "Why")])) == ["x", "y"]


@pytest.mark.parametrize(
    ("model", "name", "value", "sent"),
    [
        (GROUPED, "value", "b", "b"),
        (MultiSelect(options=["a", "b", "c"]), "value", ("c", "a"), ["c", "a"]),
        (PaletteSelect(value="p", items=[("p", ["red"]), ("q", ["blue"])]), "value", "q", "q"),
        (Switch(), "active", True, True),
        (Toggle(), "active", False, False),
        (RadioGroup(labels=["a", "b"]), "active", "b", 1),
        (RadioGroup(labels=["a", "b"]), "active", 0, 0),
        (CheckboxGroup(labels=["a", "b", "c"]), "active", ["c", 0, 0], [0, 2]),
        (TABS, "active", "One", 0),
    ],
)
def test_choice_is_sent(model: Any, name: str, value: Any, sent: Any) -> None:
    assert plan(model, {name: value}) == ({name: sent},)


@pytest.mark.parametrize(
    ("model", "name", "value", "why"),
    [
        (GROUPED, "value", "Bee", "'Bee' is not among its options: 'a', 'b'"),
        (MultiChoice(options=["a"], max_items=1), "value", ["a", "a"], "takes at most 1 items"),
        (MultiSelect(options=["a"]), "value", "a", "takes a list, not 'a'"),
        (Switch(), "active", 1, "is on or off: set active to True or False, not 1"),
        (RadioGroup(labels=["a", "b"]), "active", 2, "2 is not one of its 2 labels: 'a', 'b'"),
        (RadioGroup(labels=["a", "b"]), "active", "c", "'c' is not among its labels: 'a', 'b'"),
        (TABS, "active", "Two", "the tab 'Two' is disabled"),
    ],
)
def test_what_is_not_on_offer_is_refused(model: Any, name: str, value: Any, why: str) -> None:
    with pytest.raises(CannotDo) as refused:
        plan(model, {name: value})
    assert str(refused.value).endswith(f": {why}")
