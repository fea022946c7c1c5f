"""Sends much, and when it was made: 96 kB of values or of rows at each beat, as its argument `kind` says."""

import time

import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div

ROWS = 6000
document = curdoc()
values = ColumnDataSource({"x": np.zeros(ROWS), "y": np.zeros(ROWS)})
rows = ColumnDataSource({"number": [], "other": []}, name="rows")
made = Div(name="made", text="0 0")
beats = 0


def tell():
    global beats
    beats += 1
    if document.session_context.request.arguments.get("kind") == [b"rows"]:
        rows.stream({"number": np.full(ROWS, float(beats)), "other": np.zeros(ROWS)}, rollover=ROWS)
    else:
        values.data = {"x": np.random.rand(ROWS), "y": np.random.rand(ROWS)}
    made.text = f"{beats} {time.time()}"


for root in (values, rows, made):
    document.add_root(root)
document.add_periodic_callback(tell, 50)
