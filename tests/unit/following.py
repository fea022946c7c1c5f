"""An application whose text follows its slider."""

from __future__ import annotations

from typing import Any

from bokeh.models import Div, Slider


def fill(document: Any) -> None:
    """A slider, and a text that says where it is."""
    slider = Slider(name="slider", start=0, end=10, value=1)
    text = Div(name="text", text="1")
    slider.on_change("value", lambda attr, old, new: setattr(text, "text", str(new)))
    document.add_root(slider)
    document.add_root(text)
