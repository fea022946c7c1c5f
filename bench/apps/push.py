"""A source of five columns that a periodic callback replaces every 50 ms; each opens with the time of the call."""

import time

import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

PERIOD_MS = 50
ROWS = 1000
COLUMNS = "abcde"
rng = np.random.default_rng(7)
values = {name: rng.normal(size=ROWS) for name in COLUMNS}
source = ColumnDataSource({name: column.copy() for name, column in values.items()})


def replace() -> None:
    """Send all columns again; the first value of each is CLOCK_MONOTONIC in seconds, which the client shares."""
    now_s = time.monotonic()
    for column in values.values():
        column[0] = now_s
    source.data = {name: column.copy() for name, column in values.items()}


plot = figure(width=600, height=300)
for name in COLUMNS[1:]:
    plot.line("a", name, source=source)
curdoc().add_root(plot)
curdoc().add_periodic_callback(replace, PERIOD_MS)
