"""A slider whose callback changes one property of each of a hundred models."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Div, Slider

CHANGES = 100
trigger = Slider(title="trigger", start=0.0, end=10.0, step=0.1, value=0.0)
texts = [Div(text="") for _ in range(CHANGES)]


def write_all(attr: str, old: float, new: float) -> None:
    """Change every text."""
    for index, text in enumerate(texts):
        text.text = f"{index}: {new}"


trigger.on_change("value", write_all)
curdoc().add_root(column(trigger, *texts))
