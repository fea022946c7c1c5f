"""Writes down each of its runs, and says which process answers."""

import os
import time

from bokeh.layouts import column
from bokeh.models import Div, Slider
from bokeh.plotting import curdoc

context = curdoc().session_context
with open(os.environ["COUNTING_FILE"], "a") as runs:
    runs.write(f"{os.getpid()} {context.id}\n")
if "slow" in context.request.arguments:
    time.sleep(0.2)

slider = Slider(name="slider", start=0, end=100, value=0)
seen = Div(name="seen", text="")


def hang() -> None:
    while True:
        time.sleep(0.001)


def moved(attr: str, old: float, new: float) -> None:
    if new == 100:
        hang()
    seen.text = f"{os.getpid()} {new}"


slider.on_change("value", moved)
curdoc().add_root(column(slider, seen))
