"""A sine wave under four sliders and a text box: about 38 models, the usual first application."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Slider, TextInput
from bokeh.plotting import figure

POINTS = 200
x = np.linspace(0, 4 * np.pi, POINTS)
source = ColumnDataSource({"x": x, "y": np.sin(x)})

plot = figure(
    title="wave",
    height=400,
    width=400,
    tools="pan,wheel_zoom,save,reset,crosshair",
    x_range=(0, 4 * np.pi),
    y_range=(-2.5, 2.5),
)
plot.line("x", "y", source=source, line_width=3, line_alpha=0.6)

title = TextInput(title="title", value="wave")
offset = Slider(title="offset", value=0.0, start=-5.0, end=5.0, step=0.1)
amplitude = Slider(title="amplitude", value=1.0, start=-5.0, end=5.0, step=0.1)
phase = Slider(title="phase", value=0.0, start=0.0, end=2 * np.pi)
frequency = Slider(title="frequency", value=1.0, start=0.1, end=5.1, step=0.1)


def redraw(attr: str, old: object, new: object) -> None:
    """Put the wave that the sliders describe into the source."""
    y = amplitude.value * np.sin(frequency.value * x + phase.value) + offset.value
    source.data = {"x": x, "y": y}


def rename(attr: str, old: object, new: str) -> None:
    """Show the text as the plot's title."""
    plot.title.text = new


title.on_change("value", rename)
for slider in (offset, amplitude, phase, frequency):
    slider.on_change("value", redraw)

curdoc().add_root(row(column(title, offset, amplitude, phase, frequency), plot, width=800))
curdoc().title = "Sliders"
