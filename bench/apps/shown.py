"""A slider that shows its value in a text: the least that a move of a slider can do."""

from bokeh.io import curdoc
from bokeh.models import Div, Slider

slider = Slider(start=0, end=10, value=0)
text = Div(text="0")


def show(attr: str, old: float, new: float) -> None:
    """Show the value."""
    text.text = str(new)


slider.on_change("value", show)
curdoc().add_root(slider)
curdoc().add_root(text)
