"""The console's charts: how the instances were in the last quarter of an hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from bokeh.models import ColumnDataSource, FixedTicker, Range1d
from bokeh.models.tickers import BasicTicker
from bokeh.models.ui import UIElement
from bokeh.plotting import figure

from app_server.console.feed import Instance
from app_server.console.reading import mapping, numbers, text

COLORS = ("#3b82f6", "#f59e0b", "#10b981", "#ec4899", "#8b5cf6", "#14b8a6", "#ef4444", "#84cc16")
"""One for each instance, again from the first after the last; readable on light and dark."""

_TEXT = "#808894"
_CHARTS = (
    ("sessions", "Sessions", 1.0),
    ("messages", "Messages a second", 1.0),
    ("cpu", "Busy cores", 1.0),
    ("memory", "Memory, MB", 1e-6),
    ("p99", "Round trip p99, ms", 1e3),
)


class Charts:
    """One chart for each figure, with a line for each instance."""

    def __init__(self, stylesheets: Sequence[Any]) -> None:
        self._sources = {name: ColumnDataSource({"xs": [], "ys": [], "color": []}) for name, _, _ in _CHARTS}
        self._shown: dict[str, Any] = {}
        self.figures: list[UIElement] = [_chart(title, self._sources[name], stylesheets) for name, title, _ in _CHARTS]

    def show(self, instances: Sequence[Instance]) -> None:
        """Draw what the instances say; nothing is sent if nothing is new."""
        for name, _, factor in _CHARTS:
            data = _lines(instances, name, factor)
            if repr(data) != self._shown.get(name):
                self._shown[name] = repr(data)
                self._sources[name].update(data=dict(data))


def _lines(instances: Sequence[Instance], name: str, factor: float) -> dict[str, list[Any]]:
    xs: list[list[float]] = []
    ys: list[list[float]] = []
    for instance in instances:
        history = mapping(instance, "history")
        at_s = numbers(history, "at_s")
        values = numbers(history, name)[: len(at_s)]
        last_s = at_s[-1] if at_s else 0.0  # each instance by its own clock
        xs.append([round((each - last_s) / 60, 3) for each in at_s[: len(values)]])
        ys.append([value if math.isnan(value) else round(value * factor, 3) for value in values])
    return {"xs": xs, "ys": ys, "color": [color_of(place) for place in range(len(xs))]}


def color_of(place: int) -> str:
    """The color of the instance at this place."""
    return COLORS[place % len(COLORS)]


def legend(instances: Sequence[Instance]) -> str:
    """Which color is which instance; nothing if there is only one."""
    if len(instances) < 2:
        return ""
    dots = (
        f'<span><i style="background:{color_of(place)}"></i>{escape(text(instance, "name", 100))}</span>'
        for place, instance in enumerate(instances)
    )
    return f'<div class="legend">{"".join(dots)}</div>'


def _chart(title: str, source: ColumnDataSource, stylesheets: Sequence[Any]) -> UIElement:
    drawn = figure(
        title=title, height=150, sizing_mode="stretch_width", toolbar_location=None, tools="",
        background_fill_alpha=0, border_fill_alpha=0, outline_line_alpha=0, x_range=Range1d(start=-15, end=0),
        min_border_left=0, min_border_right=8, styles={"flex": "1 1 220px", "min-width": "200px"},
    )  # fmt: skip
    drawn.multi_line("xs", "ys", color="color", line_width=2, source=source)
    drawn.y_range.start = 0  # type: ignore[attr-defined]
    drawn.y_range.min_interval = 1e-3  # type: ignore[attr-defined]
    drawn.title.text_color = _TEXT  # type: ignore[union-attr]
    drawn.title.text_font_size = "13px"  # type: ignore[union-attr]
    for axis in drawn.axis:
        axis.update(
            major_label_text_color=_TEXT, axis_line_color=None, major_tick_line_color=None, minor_tick_line_color=None
        )
    drawn.yaxis.ticker = BasicTicker(desired_num_ticks=3)
    drawn.xaxis.ticker = FixedTicker(ticks=[-15, -10, -5, 0])
    drawn.xaxis.major_label_overrides = {-15: "−15 min", -10: "−10", -5: "−5", 0: "now"}
    drawn.grid.grid_line_color = _TEXT
    drawn.grid.grid_line_alpha = 0.2
    drawn.xgrid.grid_line_color = None
    return drawn
