"""A slider whose moves are answered, or never: below zero the callback does not return."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Div, Slider

slider = Slider(title="slider", value=0.0, start=-1.0, end=5.1, step=0.001)
seen = Div(text="")


def moved(attr: str, old: float, new: float) -> None:
    """Show the value."""
    while new < 0:
        pass
    seen.text = str(new)


slider.on_change("value", moved)
curdoc().add_root(column(slider, seen))
