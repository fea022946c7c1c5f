"""Streams with rollover, of lists, arrays and dates, while points are selected."""

from datetime import datetime, timedelta

import numpy as np
from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import curdoc, figure

START = datetime(2024, 2, 28)
lists = ColumnDataSource({"x": [1, 2, 3], "y": [1.5, None, 3.5]}, name="lists")
arrays = ColumnDataSource({"x": np.arange(4), "y": np.linspace(0, 1, 4)}, name="arrays")
dates = ColumnDataSource({"t": [START], "v": [0]}, name="dates")
said = Div(name="said")
more = Button(name="more")
wrong = Button(name="wrong")
plot = figure(width=200, height=200)
plot.scatter("x", "y", source=lists)
plot.line("x", "y", source=arrays)
plot.step("t", "v", source=dates)
rounds = 0


def stream():
    global rounds
    rounds += 1
    lists.stream({"x": [3 + rounds, 4 + rounds], "y": [float("nan"), rounds]}, rollover=6)
    arrays.stream({"x": np.array([10 * rounds]), "y": np.array([np.inf])}, rollover=5)
    dates.stream({"t": [START + timedelta(days=rounds)], "v": [rounds]}, 2)
    lengths = [len(source.data[name]) for source, name in ((lists, "x"), (arrays, "x"), (dates, "t"))]
    said.text = f"{rounds}: {lengths}, selected {lists.selected.indices}"


def stream_wrong():
    try:
        lists.stream({"x": [1]})
    except ValueError as error:
        said.text = f"{error}"
    lists.stream({"x": [], "y": []})
    arrays.stream({"x": np.array([1, 2]), "y": np.array([3.0, 4.0])}, rollover=0)


more.on_click(stream)
wrong.on_click(stream_wrong)
for root in (plot, more, wrong, said):
    curdoc().add_root(root)
