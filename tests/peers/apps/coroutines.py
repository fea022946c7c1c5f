"""Coroutines, tornado's and Python's, as callbacks of every kind."""

import asyncio
from functools import partial

from bokeh.models import Button, Div, Slider
from bokeh.plotting import curdoc
from tornado import gen

document = curdoc()
said = Div(text="", name="said")
go = Button(name="go")
slider = Slider(start=0, end=9, value=0, name="slider")
beats = 0


def say(word):
    said.text += f"{word} "


@gen.coroutine
def old_style():
    say("old")
    yield gen.sleep(0.01)
    say("style")
    found = yield gen.multi([asyncio.sleep(0.001, 1), asyncio.sleep(0.002, 2)])
    say(f"{found}")


async def new_style(word):
    say(word)
    await asyncio.sleep(0.01)
    say(f"after {word}")
    document.add_next_tick_callback(old_style)


async def failing():
    say("failing")
    await asyncio.sleep(0)
    raise ValueError("as it should")


async def beat():
    global beats
    beats += 1
    if beats == 3:
        document.remove_periodic_callback(handle)
    await asyncio.sleep(0.002)
    slider.value = beats
    if beats == 3:
        document.add_timeout_callback(partial(new_style, "last"), 10)


def start():
    document.add_next_tick_callback(failing)
    document.add_next_tick_callback(partial(new_style, "first"))


go.on_click(start)
handle = document.add_periodic_callback(beat, 20)
for root in (said, go, slider):
    document.add_root(root)
