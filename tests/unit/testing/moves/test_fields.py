"""What fields take."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bokeh.models import (
    AutocompleteInput,
    ColorPicker,
    DatePicker,
    DateRangePicker,
    DatetimePicker,
    MultipleDatePicker,
    NumericInput,
    PasswordInput,
    Spinner,
    TextAreaInput,
    TimePicker,
)

from app_server.testing.errors import CannotDo
from app_server.testing.moves.planning import plan

DAY = datetime.date(2026, 5, 4)


@pytest.mark.parametrize(
    ("model", "values", "sent"),
    [
        (PasswordInput(), {"value": "x"}, ({"value_input": "x"}, {"value": "x"})),
        (TextAreaInput(max_length=3), {"value": "abc"}, ({"value_input": "abc"}, {"value": "abc"})),
        (AutocompleteInput(completions=["a"]), {"value": "a"}, ({"value_input": "a"}, {"value": "a"})),
        (AutocompleteInput(completions=["a"], restrict=False), {"value": "b"}, ({"value_input": "b"}, {"value": "b"})),
        (NumericInput(low=0, high=5), {"value": 5}, ({"value": 5},)),
        (NumericInput(), {"value": None}, ({"value": None},)),
        (NumericInput(mode="float"), {"value": 2.0}, ({"value": 2},)),
        (Spinner(low=0, step=0.5, mode="float"), {"value": 1.5}, ({"value": 1.5}, {"value_throttled": 1.5})),
        (DatePicker(), {"value": DAY}, ({"value": "2026-05-04"},)),
        (DatePicker(enabled_dates=[("2026-05-01", "2026-05-09")]), {"value": DAY}, ({"value": "2026-05-04"},)),
        (DatetimePicker(min_date=datetime.datetime(2026, 5, 4)), {"value": "2026-05-04"}, ({"value": "2026-05-04"},)),
        (DatetimePicker(), {"value": datetime.datetime(2026, 5, 4, 3, 2)}, ({"value": "2026-05-04T03:02:00"},)),
        (DateRangePicker(), {"value": (DAY, "2026-05-05")}, ({"value": ["2026-05-04", "2026-05-05"]},)),
        (MultipleDatePicker(), {"value": [DAY]}, ({"value": ["2026-05-04"]},)),
        (TimePicker(), {"value": datetime.time(3, 4)}, ({"value": "03:04:00"},)),
        (ColorPicker(), {"color": "#FF0000"}, ({"color": "#ff0000"},)),
    ],
)
def test_value_is_sent_as_a_browser_sends_it(model: Any, values: dict[str, Any], sent: Any) -> None:
    assert plan(model, values) == sent


@pytest.mark.parametrize(
    ("model", "values", "why"),
    [
        (TextAreaInput(), {"value": 3}, "takes a text, not 3"),
        (AutocompleteInput(completions=["a"]), {"value": "b"}, "'b' is not among its completions: 'a'"),
        (NumericInput(low=0, high=5), {"value": 6}, "6 is above 5"),
        (NumericInput(low=0, high=5), {"value": -1}, "-1 is below 0"),
        (NumericInput(), {"value": 1.5}, "takes whole numbers, not 1.5"),
        (Spinner(), {"value": "1"}, "takes a number, not '1'"),
        (DatePicker(), {"value": "May"}, "takes a date, or one as YYYY-MM-DD, not 'May'"),
        (DatePicker(max_date=DAY), {"value": "2026-05-05"}, "2026-05-05 is not between any day and 2026-05-04"),
        (DatePicker(disabled_dates=[DAY]), {"value": DAY}, "2026-05-04 cannot be chosen"),
        (DatePicker(enabled_dates=["2026-05-05"]), {"value": DAY}, "2026-05-04 cannot be chosen"),
        (ColorPicker(), {"color": "red"}, "a browser gives a colour as #rrggbb, not 'red'"),
    ],
)
def test_other_values_are_refused(model: Any, values: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotDo) as refused:
        plan(model, values)
    assert str(refused.value) == f"{type(model).__name__}: {why}"
