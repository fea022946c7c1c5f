"""A callback that other threads call: `locked_callback` of bokeh 3.10, and what does the same with 3.9."""

import threading

from bokeh.models import Button, Div
from bokeh.plotting import curdoc

document = curdoc()
said = Div(text="", name="said")
go = Button(name="go")


def locked(function):
    if hasattr(document, "locked_callback"):
        return document.locked_callback(function)
    return lambda *args: document.add_next_tick_callback(lambda: function(*args))


@locked
def say(word):
    said.text += f"{word} of {curdoc().session_context.server_context.application_context.url} "


def work():
    for word in ("one", "two", "three"):
        say(word)


go.on_click(lambda: threading.Thread(target=work).start())
for root in (said, go):
    document.add_root(root)
