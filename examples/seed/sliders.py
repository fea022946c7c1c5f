"""A sine wave shaped by four sliders, whose samples are computed in Python."""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Slider, TextInput
from bokeh.plotting import curdoc, figure

SAMPLES = 200
x = np.linspace(0, 4 * np.pi, SAMPLES)

source = ColumnDataSource({"x": x, "y": np.sin(x)}, name="wave")

plot = figure(title="my sine wave", x_range=(0, 4 * np.pi), y_range=(-2.5, 2.5), height=400, name="plot")
plot.line("x", "y", source=source, line_width=3, line_alpha=0.7)

title = TextInput(title="Title", value="my sine wave", name="title")
offset = Slider(title="Offset", value=0, start=-5, end=5, step=0.1, name="offset")
amplitude = Slider(title="Amplitude", value=1, start=-5, end=5, step=0.1, name="amplitude")
phase = Slider(title="Phase", value=0, start=0, end=2 * np.pi, step=0.01, name="phase")
frequency = Slider(title="Frequency", value=1, start=0.1, end=5.1, step=0.1, name="frequency")


def rename(attr: str, old: str, new: str) -> None:
    """Show what was typed above the plot."""
    plot.title.text = new


def recompute(attr: str, old: float, new: float) -> None:
    """Draw the wave that the sliders describe."""
    source.data = {"x": x, "y": amplitude.value * np.sin(frequency.value * x + phase.value) + offset.value}


title.on_change("value", rename)
for slider in (offset, amplitude, phase, frequency):
    slider.on_change("value", recompute)

curdoc().add_root(row(column(title, offset, amplitude, phase, frequency), plot))
curdoc().title = "Sliders"
