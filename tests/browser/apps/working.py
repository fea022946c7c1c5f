"""A slider whose callback works for a while, in functions that call each other."""

import math

from bokeh.layouts import column
from bokeh.models import Div, Slider
from bokeh.plotting import curdoc

slider = Slider(name="slider", start=0, end=100, value=0, title="work")
result = Div(name="result", text="nothing yet")


def sines(count: int) -> float:
    """The longer part."""
    return sum(math.sin(number) for number in range(count))


def roots(count: int) -> float:
    """The shorter part."""
    return sum(math.sqrt(number) for number in range(count))


def work(attr: str, old: int, new: int) -> None:
    """Compute for some tens of milliseconds."""
    result.text = f"{new}: {sines(200_000) + roots(60_000):.3f}"


slider.on_change("value", work)
curdoc().add_root(column(slider, result))
