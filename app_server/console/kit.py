"""The widgets that the console is made of, in its style."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from bokeh.layouts import row
from bokeh.models import InlineStyleSheet
from bokeh.models.ui import UIElement
from bokeh.models.widgets import Button, Div

M = TypeVar("M", bound=UIElement)


@cache
def _css(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


class Kit:
    """Makes the widgets of one page, which share their style sheets."""

    def __init__(self) -> None:
        self.widgets = InlineStyleSheet(css=_css("widgets.css"))
        self._texts = InlineStyleSheet(css=_css("texts.css"))

    def styled(self, kind: Callable[..., M], **properties: Any) -> M:
        """A widget of this kind."""
        return kind(stylesheets=[self.widgets], **properties)

    def text(self, name: str, html: str = "") -> Div:
        """A place for text, without MathJax: a visitor's $$ is a visitor's $$."""
        return Div(name=name, text=html, stylesheets=[self._texts], disable_math=True, sizing_mode="stretch_width")

    def line(self, *children: UIElement) -> Any:
        """Widgets beside each other, and below each other on a phone."""
        wrapped = {"flex-wrap": "wrap", "gap": "8px", "align-items": "end"}
        return row(*children, sizing_mode="stretch_width", styles=wrapped)

    def button(self, label: str, act: Callable[[], None], kind: Any = "default") -> Button:
        """A button that calls `act`."""
        button = self.styled(Button, name=label, label=label, button_type=kind, width_policy="min")
        button.on_click(act)
        return button


def set_text(shown: Div, html: str) -> None:
    """Show this; nothing is sent if it is shown already."""
    if shown.text != html:
        shown.update(text=html)
