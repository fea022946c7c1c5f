"""What is found, and what is said if it is not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from bokeh.models import Button, ColumnDataSource, Div, Slider
from bokeh.plotting import figure

from app_server.testing.errors import NotFound
from app_server.testing.finding import find, find_all

MODELS: list[Any] = [
    Slider(name="a", title="Amplitude", start=0, end=1, value=0),
    Slider(name="b", title="Offset", start=0, end=1, value=1),
    Button(label="Go"),
    Div(text="<p>Some <b>words</b></p>"),
    figure(title="A plot", name="plot"),
    ColumnDataSource({"x": np.array([1, 2])}, name="source"),
]
A, B, GO, WORDS, PLOT, SOURCE = MODELS


@pytest.mark.parametrize(
    ("kind", "text", "properties", "found"),
    [
        (Slider, None, {"name": "b"}, B),
        ("Slider", None, {"value": 0}, A),
        ("AbstractButton", None, {}, GO),
        (None, "Some words", {}, WORDS),
        (None, re.compile("^Off"), {}, B),
        (None, None, {"title": "A plot"}, PLOT),
        (None, None, {"title": re.compile("plot$")}, PLOT),
        (None, None, {"data": {"x": [1, 2]}}, SOURCE),
        ("ColumnDataSource", None, {}, SOURCE),
    ],
)
def test_models_are_found(kind: Any, text: Any, properties: dict[str, Any], found: Any) -> None:
    assert find(MODELS, kind, text, properties) is found
    assert find_all(MODELS, kind, text, properties) == [found]


@pytest.mark.parametrize(
    ("kind", "text", "properties", "said"),
    [
        (Slider, None, {"name": "amp"}, "no Slider named 'amp'; there are Slider 'a', Slider 'b'"),
        ("Button", None, {"label": "Stop"}, "no Button with label='Stop'; there is Button that says 'Go'"),
        (
            "Select",
            "City",
            {},
            "no Select that says 'City'; the page has Slider 'a', Slider 'b', Button that says 'Go', "
            "Div that says 'Some words', figure 'plot', ColumnDataSource 'source'",
        ),
        (
            Slider,
            None,
            {},
            "2 models fit Slider: Slider 'a', Slider 'b'. Say more, or use find_all()",
        ),
        (
            None,
            re.compile("x+"),
            {"name": "c"},
            "no model named 'c' that says /x+/; the page has Slider 'a', Slider 'b', Button that says 'Go', "
            "Div that says 'Some words', figure 'plot', ColumnDataSource 'source'",
        ),
    ],
)
def test_what_is_not_found_is_said_with_what_there_is(
    kind: Any, text: Any, properties: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotFound) as missing:
        find(MODELS, kind, text, properties)
    assert str(missing.value) == said


def test_empty_page_and_long_lists_are_said() -> None:
    with pytest.raises(NotFound, match="no Slider; the page is empty"):
        find([], Slider, None, {})
    many = [Div(name=f"div{number}") for number in range(20)]
    with pytest.raises(NotFound, match="'div11' and 8 more. Say more"):
        find(many, Div, None, {})


def test_plot_is_found_by_its_title_which_is_a_part_of_it() -> None:
    plot, other = figure(title="Waves", name="plot"), figure(title="Winds")
    candidates = [plot, plot.title, other, other.title]
    assert find(candidates, None, "Waves", {}) is plot
    assert find_all(candidates, None, "W", {}) == [plot, other]
    assert find(candidates, "Title", "Waves", {}) is plot.title
    assert find([plot.title], None, "Waves", {}) is plot.title
