"""A plot of numpy arrays whose height follows a slider, and a button that sends a large array."""

import numpy as np
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, FileInput, Slider
from bokeh.plotting import curdoc, figure

x = np.arange(20_000, dtype=float)
source = ColumnDataSource({"x": x, "y": np.sin(x / 500)}, name="source")
plot = figure(width=500, height=300, name="plot", title="untouched")
plot.line("x", "y", source=source)
slider = Slider(start=0, end=10, value=1, step=0.1, title="height", name="slider")
button = Button(label="large", name="button")


def change(attr: str, old: float, new: float) -> None:
    source.data = {"x": x, "y": np.full(len(x), new)}
    plot.title.text = f"height {new:g}"


def send_large() -> None:
    source.data = {"x": np.arange(300_000.0), "y": np.arange(300_000.0)}


slider.on_change("value", change)
button.on_click(send_large)
curdoc().add_root(column(slider, button, plot, FileInput(name="file")))
