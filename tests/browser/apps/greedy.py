"""A button whose callback never returns."""

from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

button = Button(label="Compute", name="button")


def compute() -> None:
    while True:
        pass


button.on_click(compute)
curdoc().add_root(column(button, Div(text="Everything is fine.")))
