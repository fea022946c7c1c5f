"""A page of widgets, of which the slider takes as long as the page's address says: /working?seconds=0.3

With /working?seconds=0.3&only=1 it has no other widget that can be used.
"""

import time

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div, PasswordInput, Select, Slider

arguments = curdoc().session_context.request.arguments
seconds = float(arguments.get("seconds", [b"0"])[0])
slider = Slider(name="amount", start=0, end=10, value=1)
choice = Select(name="choice", options=["north", "south"], value="north")
button = Button(name="button")
secret = PasswordInput(name="secret")
answer = Div(name="answer", text="1")


def work(attr: str, old: float, new: float) -> None:
    time.sleep(seconds)
    answer.text = str(new)


def press() -> None:
    answer.text += "!"


slider.on_change("value", work)
button.on_click(press)
choice.disabled = "only" in arguments
button.disabled = "only" in arguments
curdoc().add_root(column(slider, choice, button, secret, answer))
