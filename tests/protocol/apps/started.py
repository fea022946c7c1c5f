"""Starts in the same way for everybody, unless its own name says that it must not."""

import logging
import os
import random
import socket
import subprocess
import sys
import threading

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.plotting import curdoc, figure

with open(os.environ["COUNTING_FILE"], "a") as runs:
    runs.write(f"{__file__}\n")

logging.getLogger(__name__).warning("starting")

fault = os.path.basename(__file__).removesuffix(".py").partition("_")[2]
if fault == "asks":
    asked = curdoc().session_context.request
elif fault == "thread":
    threading.Thread(target=threading.Event().wait, name="watcher", daemon=True).start()
elif fault == "socket":
    kept = socket.socket()
elif fault == "process":
    child = subprocess.Popen([sys.executable, "-c", "pass"])
elif fault == "raises":
    raise ValueError("not today")

source = ColumnDataSource({"x": np.arange(1000.0), "y": np.arange(1000.0)})
plot = figure(name="plot")
plot.line("x", "y", source=source)
slider = Slider(name="slider", start=0, end=100, value=0)
seen = Div(name="seen", text="")
beats = Div(name="beats", text="0")


def moved(attr: str, old: float, new: float) -> None:
    context = curdoc().session_context
    seen.text = f"{os.getpid()} {context.id} {random.random()} {np.random.rand()} {sorted(context.request.arguments)}"


def beat() -> None:
    beats.text = str(int(beats.text) + 1)


slider.on_change("value", moved)
curdoc().add_periodic_callback(beat, 50)
curdoc().add_root(column(plot, slider, seen, beats))
curdoc().title = "Started"
