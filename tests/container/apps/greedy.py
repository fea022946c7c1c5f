"""Fills /tmp, or the memory, on request."""

from pathlib import Path

from bokeh.models import TextInput
from bokeh.plotting import curdoc

hoard: list[bytearray] = []


def obey(attr: str, old: str, new: str) -> None:
    if new == "disk":
        with Path("/tmp/hoard").open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
    if new == "memory":
        while True:
            # Written to, so it is really taken.
            hoard.append(bytearray(b"x") * (8 << 20))


order = TextInput(name="order", value="")
order.on_change("value", obey)
curdoc().add_root(order)
