"""What moves have in common."""

from __future__ import annotations

import pytest
from bokeh.models import Div

from app_server.testing.errors import CannotDo
from app_server.testing.moves import step

DIV = Div(name="div")


def test_values_are_as_browsers_write_them() -> None:
    assert step.one("value", 7.0) == ({"value": 7},)
    assert step.moved([1.0, 2.5]) == ({"value": [1, 2.5]}, {"value_throttled": [1, 2.5]})


def test_long_lists_are_cut() -> None:
    assert step.listed(range(3)) == "0, 1, 2"
    assert step.listed(range(14)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, and 2 more"


def test_what_does_not_fit_is_refused() -> None:
    assert step.among(DIV, 1, [1]) == 1
    assert step.several(DIV, range(2)) == [0, 1]
    assert step.pair(DIV, [1, 2]) == (1, 2)
    for act in (lambda: step.among(DIV, 2, [1]), lambda: step.several(DIV, "ab"), lambda: step.pair(DIV, (2, 1, 0))):
        with pytest.raises(CannotDo, match="^Div 'div': "):
            act()
