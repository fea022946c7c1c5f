"""Callbacks that raise in the middle, of every kind; the document afterwards."""

from bokeh.models import Button, Div, Slider
from bokeh.plotting import curdoc

document = curdoc()
slider = Slider(start=0, end=10, value=0, name="slider")
said = Div(name="said", text="")
names = ("click", "tick", "timeout", "event", "wrong", "fine")
buttons = {name: Button(label=name, name=name) for name in names}


def say(word):
    said.text += f"{word} "


def fail(word="raised"):
    say(word)
    raise ValueError(word)


def slide(attr, old, new):
    say(f"{old}->{new}")
    if new == 5:
        raise KeyError("five")


def wrong():
    for attr, value in (("value", "text"), ("nothing", 1), ("start", None)):
        try:
            setattr(slider, attr, value)
        except (ValueError, AttributeError) as error:
            say(type(error).__name__)


slider.on_change("value", slide, lambda attr, old, new: say("second"))
buttons["click"].on_click(fail)
buttons["tick"].on_click(lambda: document.add_next_tick_callback(lambda: fail("tick")))
buttons["timeout"].on_click(lambda: document.add_timeout_callback(lambda: fail("timeout"), 1))
buttons["event"].on_event("button_click", lambda event: fail("event"), lambda event: say("after"))
buttons["wrong"].on_click(wrong)
buttons["fine"].on_click(lambda: say("fine"))
for root in (slider, said, *buttons.values()):
    document.add_root(root)
