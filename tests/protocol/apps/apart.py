"""Does what its text field says, good or bad, and shows which process does it."""

import ctypes
import os
import random
import time

import numpy as np
from bokeh.layouts import column
from bokeh.models import Div, TextInput
from bokeh.plotting import curdoc

with open(os.environ["COUNTING_FILE"], "a") as runs:
    runs.write(f"{os.getpid()}\n")
if "slow" in (curdoc().session_context.request.arguments if os.environ.get("ASKING") else ()):
    time.sleep(0.3)

field = TextInput(name="field")
seen = Div(name="seen", text="")
kept = []


def loop_for_ever(pause_s: float | None = None) -> None:
    """Never return: keep a core busy, unless there are pauses."""
    while True:
        if pause_s is not None:
            time.sleep(pause_s)


def compute() -> None:
    until = time.process_time() + 30
    while time.process_time() < until:
        pass


def do(attr: str, old: str, new: str) -> None:
    word, _, number = new.partition(" ")
    if word == "loop":
        loop_for_ever()
    elif word == "linger":
        loop_for_ever(0.001)
    elif word == "compute":
        compute()
    elif word == "sleep":
        time.sleep(float(number))
    elif word == "take":
        kept.append(np.ones(int(number) * 131072))  # megabytes
    elif word == "crash":
        ctypes.string_at(0)
    elif word == "leave":
        os._exit(3)
    elif word == "others":
        seen.text = str(curdoc().session_context.server_context.sessions)
        return
    elif word == "draw":
        seen.text = f"{os.getpid()} {random.random()} {np.random.rand()}"
        return
    seen.text = f"{os.getpid()} {new}"


field.on_change("value", do)
curdoc().add_root(column(field, seen))
