"""Does what its text input `command` says: `name:argument`."""

import asyncio
import logging
import sys
from functools import partial

import numpy as np
from bokeh.document.document import Document
from bokeh.events import ButtonClick, ConnectionLost
from bokeh.io import curdoc
from bokeh.models import Button, ColumnDataSource, Div, Slider, TextInput

document: Document = curdoc()
slider = Slider(name="slider", start=0, end=100, value=1)
double = Slider(name="double", start=0, end=200, value=2)
command = TextInput(name="command")
answer = Div(name="answer", text="")
lost = Div(name="lost", text="0")
button = Button(name="button")
source = ColumnDataSource({"x": np.arange(5, dtype=np.float64), "y": np.arange(5, dtype=np.int32)}, name="source")
many = [Div(name=f"many-{number}", text="") for number in range(100)]


def slide(attr: str, old: float, new: float) -> None:
    double.value = 2 * new


def change_hundred(argument: str) -> None:
    for div in many:
        div.text = argument


def add_root(argument: str) -> None:
    document.add_root(Div(name=argument, text="new"))


def remove_root(argument: str) -> None:
    document.remove_root(document.get_model_by_name(argument))


def replace_data(argument: str) -> None:
    source.data = {"x": np.full(3, float(argument)), "y": np.zeros(3, dtype=np.int32)}


def stream_then_change(argument: str) -> None:
    source.stream({"x": [float(argument)], "y": [1]})
    source.stream({"x": [float(argument) + 1], "y": [2]})
    answer.text = f"streamed {argument}"


def patch_data(argument: str) -> None:
    source.patch({"x": [(0, float(argument))]})


def flood(argument: str) -> None:
    source.data = {"x": np.zeros(int(argument) // 8), "y": np.zeros(int(argument) // 8, dtype=np.int8)}


def fail(argument: str) -> None:
    answer.text = "about to fail"
    raise ValueError(f"the secret of the board {argument}")


def set_title(argument: str) -> None:
    document.title = argument


async def exit_later() -> None:
    await asyncio.sleep(0)
    sys.exit(7)


KINDS = {kind.__name__: kind for kind in (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)}


def raise_kind(name: str) -> None:
    raise KINDS[name]


async def raise_later(name: str) -> None:
    await asyncio.sleep(0)
    raise KINDS[name]


def raise_periodically(name: str) -> None:
    def beat() -> None:
        document.remove_periodic_callback(handle)
        raise KINDS[name]

    handle = document.add_periodic_callback(beat, 1)


def unserializable(argument: str) -> None:
    source.data = {"x": [object()]}


commands = {
    "hundred": change_hundred,
    "root": add_root,
    "unroot": remove_root,
    "data": replace_data,
    "stream": stream_then_change,
    "patch": patch_data,
    "flood": flood,
    "fail": fail,
    "exit": lambda argument: sys.exit(int(argument)),
    "exit-soon": lambda argument: document.add_next_tick_callback(partial(sys.exit, 7)),
    "exit-later": lambda argument: document.add_next_tick_callback(exit_later),
    "raise": raise_kind,
    "raise-soon": lambda argument: document.add_next_tick_callback(partial(raise_kind, argument)),
    "raise-after": lambda argument: document.add_timeout_callback(partial(raise_kind, argument), 1),
    "raise-later": lambda argument: document.add_next_tick_callback(partial(raise_later, argument)),
    "raise-often": raise_periodically,
    "title": set_title,
    "answer": lambda argument: answer.update(text=argument),
    "unserializable": unserializable,
    "expire": lambda argument: document.session_context.session.request_expiration(),
}


def obey(attr: str, old: str, new: str) -> None:
    name, _, argument = new.partition(":")
    if name in commands:
        commands[name](argument)


def count_lost(event: ConnectionLost) -> None:
    lost.text = str(int(lost.text) + 1)
    logging.getLogger("board").info("a connection of %s was lost", document.session_context.id[:8])


def say_clicked(event: ButtonClick) -> None:
    answer.text = "clicked"


def note_end(session_context: object) -> None:
    logging.getLogger("board").info("board %s ended", session_context.id[:12])


document.on_session_destroyed(note_end)
slider.on_change("value", slide)
command.on_change("value", obey)
button.on_event(ButtonClick, say_clicked)
document.on_event(ConnectionLost, count_lost)
document.on_message("echo", lambda data: setattr(answer, "text", f"heard {data}"))
with document.models.freeze():  # the stock server looks through all models after each of 107 roots otherwise
    for model in (slider, double, command, answer, lost, button, *many, source):
        document.add_root(model)
document.title = "Board"
