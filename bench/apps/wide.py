"""96 kB of values and a streamed row every 50 ms; each column of values opens with the time of the call."""

import time

import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

PERIOD_MS = 50
ROWS = 6000
rng = np.random.default_rng(7)
values = {name: rng.normal(size=ROWS) for name in "xy"}
source = ColumnDataSource({name: column.copy() for name, column in values.items()})
rows = ColumnDataSource({"number": []})
beats = 0


def replace() -> None:
    """Send all columns, whose first value is CLOCK_MONOTONIC in seconds, and then the number of the beat as a row."""
    global beats
    beats += 1
    for column in values.values():
        column[0] = time.monotonic()
    source.data = {name: column.copy() for name, column in values.items()}
    rows.stream({"number": [beats]})


plot = figure(width=600, height=300)
plot.line("x", "y", source=source)
plot.scatter("number", "number", source=rows)
curdoc().add_root(plot)
curdoc().add_periodic_callback(replace, PERIOD_MS)
