"""Sliders stop where a hand can leave them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bokeh.models import (
    CategoricalSlider,
    DateRangeSlider,
    DateSlider,
    DatetimeRangeSlider,
    RangeSlider,
    Slider,
)

from app_server.testing.errors import CannotDo
from app_server.testing.moves.planning import plan

DAY_MS = 86_400_000
FIRST, LAST = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
START_MS = 1767225600000

CASES: list[tuple[Any, Any, Any]] = [
    (Slider(start=0, end=1, step=0.1, value=0), 0.3, 0.3),
    (Slider(start=0, end=1, step=0.1, value=0), 0.1 + 0.2, 0.1 + 0.2),
    (Slider(start=0, end=10, step=4, value=0), 10, 10),
    (Slider(start=-2, end=2, step=0.5, value=0), 1.0, 1),
    (RangeSlider(start=0, end=10, step=1, value=(0, 1)), (2, 5.0), [2, 5]),
    (CategoricalSlider(categories=["a", "b"], value="a"), "b", "b"),
    (DateSlider(start=FIRST, end=LAST, value=FIRST), datetime.date(2026, 1, 3), START_MS + 2 * DAY_MS),
    (DateSlider(start=FIRST, end=LAST, value=FIRST), START_MS, START_MS),
    (DateRangeSlider(start=FIRST, end=LAST, value=(FIRST, LAST)), (FIRST, LAST), [START_MS, START_MS + 30 * DAY_MS]),
    (
        DatetimeRangeSlider(start=FIRST, end=LAST, value=(FIRST, LAST)),
        (datetime.datetime(2026, 1, 1, 1), datetime.datetime(2026, 1, 1, 2, tzinfo=datetime.UTC)),
        [START_MS + DAY_MS // 24, START_MS + DAY_MS // 12],
    ),
]


@pytest.mark.parametrize(("model", "value", "sent"), CASES, ids=lambda case: type(case).__name__)
def test_value_is_sent_while_the_handle_moves_and_when_it_is_let_go(model: Any, value: Any, sent: Any) -> None:
    assert plan(model, {"value": value}) == ({"value": sent}, {"value_throttled": sent})


REFUSED: list[tuple[Any, Any, str]] = [
    (Slider(start=0, end=1, step=0.1, value=0), 0.35, "0.35 is not at one of its steps: it starts at 0, step 0.1"),
    (Slider(start=0, end=1, step=0.1, value=0), -0.1, "-0.1 is not between 0 and 1"),
    (Slider(start=0, end=1, step=1, value=0), True, "takes a number, not True"),
    (RangeSlider(start=0, end=10, step=1, value=(0, 1)), (5, 2), "5 is above 2"),
    (RangeSlider(start=0, end=10, step=1, value=(0, 1)), 3, "takes two values, not 3"),
    (CategoricalSlider(categories=["a", "b"], value="a"), "c", "'c' is not among its categories: 'a', 'b'"),
    (DateSlider(start=FIRST, end=LAST, value=FIRST), "2026-01-03", "takes a number or a date, not '2026-01-03'"),
]


@pytest.mark.parametrize(("model", "value", "why"), REFUSED, ids=lambda case: type(case).__name__)
def test_other_values_are_refused(model: Any, value: Any, why: str) -> None:
    with pytest.raises(CannotDo) as refused:
        plan(model, {"value": value})
    assert str(refused.value) == f"{type(model).__name__}: {why}"
