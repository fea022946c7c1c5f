"""Widgets that send much at once: files, a folder and a text; and a slider that shows that the session goes on."""

from typing import Any

from bokeh.layouts import column
from bokeh.models import Div, FileInput, Slider, TextAreaInput
from bokeh.plotting import curdoc

files = FileInput(name="files", multiple=True)
folder = FileInput(name="folder", multiple=True, directory=True)
text = TextAreaInput(name="text", max_length=1_000_000)
slider = Slider(start=0, end=10, value=1, step=0.1, name="slider")
seen = Div(name="seen")


def show(attr: str, old: Any, new: Any) -> None:
    size = len(new) if isinstance(new, str) else sum(map(len, new))
    seen.text = f"{size} characters"


for widget in (files, folder, text):
    widget.on_change("value", show)
slider.on_change("value", lambda attr, old, new: setattr(seen, "text", f"slider {new:g}"))
curdoc().add_root(column(files, folder, text, slider, seen))
