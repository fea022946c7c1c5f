"""Next ticks and timeouts that add others, and are taken back before they run."""

from functools import partial

from bokeh.models import Button, Div
from bokeh.plotting import curdoc

document = curdoc()
said = Div(text="", name="said")
go = Button(name="go")
refused = Div(text="", name="refused")


def say(word):
    said.text += f"{word} "


def chain(left):
    say(f"tick{left}")
    if left:
        document.add_next_tick_callback(partial(chain, left - 1))
    else:
        document.add_timeout_callback(late, 20)


def late():
    say("late")
    document.add_timeout_callback(partial(say, "end"), 1)


def start():
    say("start")
    document.add_next_tick_callback(partial(chain, 2))
    taken_back = document.add_timeout_callback(partial(say, "never"), 10)
    document.remove_timeout_callback(taken_back)
    unwanted = document.add_next_tick_callback(partial(say, "never"))
    document.remove_next_tick_callback(unwanted)
    for remove, handle in (
        (document.remove_timeout_callback, taken_back),
        (document.remove_next_tick_callback, unwanted),
        (document.remove_periodic_callback, unwanted),
    ):
        try:
            remove(handle)
        except ValueError as error:
            refused.text += f"{error}; "


document.add_next_tick_callback(partial(say, "built"))
document.add_timeout_callback(partial(say, "timeout"), 5)
go.on_click(start)
for root in (said, go, refused):
    document.add_root(root)
