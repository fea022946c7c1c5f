"""The tabs in which there is only something to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app_server.console.feed import Instance
from app_server.console.kit import Kit, set_text


class ReadingTab:
    """Shows this part of what the instances say, as `render` writes it."""

    def __init__(self, kit: Kit, part: str, render: Callable[[Sequence[Instance]], str]) -> None:
        self.parts = frozenset({part})
        self._render = render
        self._text = kit.text(part)
        self.widgets: Sequence[Any] = (self._text,)

    def show(self, instances: Sequence[Instance]) -> None:
        """Show what the instances say."""
        set_text(self._text, self._render(instances))
