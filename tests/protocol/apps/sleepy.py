"""Blocks the loop for as many seconds as its text input `command` says, now or in an async callback."""

import logging
import time

from bokeh.io import curdoc
from bokeh.models import Div, TextInput

document = curdoc()
command = TextInput(name="command")
slept = Div(name="slept", text="")
document.add_root(command)
document.add_root(slept)


async def sleep_later():
    time.sleep(float(command.value.removeprefix("later:")))
    slept.text = command.value


def obey(attr, old, new):
    logging.getLogger("sleepy").info("asked to sleep: %s", new)
    if new.startswith("later:"):
        document.add_next_tick_callback(sleep_later)
    else:
        time.sleep(float(new))


command.on_change("value", obey)
