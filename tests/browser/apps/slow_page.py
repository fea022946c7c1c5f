"""Sends 96 kB at each beat, twenty times a second: the values of a plot, and a row for each beat."""

import time

import numpy as np
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import curdoc, figure

POINTS = 6000
source = ColumnDataSource({"x": np.arange(POINTS) * 1.0, "y": np.random.rand(POINTS)}, name="source")
rows = ColumnDataSource({"number": []}, name="rows")
made = Div(text="0 0", name="made")
state = Div(text="running", name="state")
stop = Button(label="Stop")
plot = figure(width=600, height=400)
plot.line("x", "y", source=source)
plot.line("number", "number", source=rows)
beats = 0


def beat():
    global beats
    beats += 1
    source.data = {"x": np.arange(POINTS) * 1.0 + beats, "y": np.random.rand(POINTS)}
    rows.stream({"number": [beats]})
    made.text = f"{beats} {time.time()}"


def finish():
    curdoc().remove_periodic_callback(handle)
    state.text = f"stopped {beats}"


stop.on_click(finish)
curdoc().add_root(column(made, state, stop, plot))
handle = curdoc().add_periodic_callback(beat, 50)
