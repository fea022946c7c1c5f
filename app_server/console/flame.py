"""A flame graph: which calls the time of a session's callbacks went to, the callers above what they have called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.models.ui import UIElement
from bokeh.plotting import figure

from app_server.observe.profile import Bar

_TEXT = "#808894"
_OWN = ("#f59e0b", "#f97316", "#fb923c", "#fbbf24")
_LIBRARIES = ("#94a3b8", "#64748b", "#a1a1aa", "#8b9bb4")
_ROW_PX = 20
_LETTERS = 90
"""How many letters of a name fit beside each other over the whole width of a small page."""

_NARROWEST = 0.002
"""Bars narrower than this share of the whole cannot be seen."""

_COLUMNS = ("left", "right", "top", "bottom", "color", "name", "where", "total", "own", "label")


class FlameGraph:
    """Draws the bars of one profile at a time."""

    def __init__(self) -> None:
        self._source = ColumnDataSource({name: [] for name in _COLUMNS})
        self._figure = _figure(self._source)

    @property
    def widget(self) -> UIElement:
        """The chart."""
        found: UIElement = self._figure
        return found

    def show(self, bars: Sequence[Bar]) -> None:
        """Draw these bars, in place of those before."""
        whole_s = max((bar.right_s for bar in bars), default=0.0) or 1.0
        seen = [bar for bar in bars if bar.right_s - bar.left_s >= _NARROWEST * whole_s]
        depth = 1 + max((bar.depth for bar in seen), default=0)
        self._figure.update(height=_ROW_PX * depth + 50)
        self._figure.x_range.update(end=whole_s, bounds=(0, whole_s))
        self._figure.y_range.update(start=depth, end=0)
        self._source.update(data={name: [_cell(bar, whole_s)[name] for bar in seen] for name in _COLUMNS})


def _cell(bar: Bar, whole_s: float) -> dict[str, Any]:
    letters = int(_LETTERS * (bar.right_s - bar.left_s) / whole_s)
    short = bar.name.rpartition(".")[2]
    label = bar.name if len(bar.name) <= letters else short if len(short) <= letters else short[: letters - 1] + "…"
    return {
        "left": bar.left_s, "right": bar.right_s, "top": bar.depth + 0.05, "bottom": bar.depth + 0.95,
        "color": color_of(bar), "name": bar.name, "where": bar.where,
        "total": f"{bar.total_s:.3f} s, {bar.total_s / whole_s:.0%}", "own": f"{bar.own_s:.3f} s",
        "label": label if letters > 2 else "",
    }  # fmt: skip


def color_of(bar: Bar) -> str:
    """Warm for the application's own code, grey for libraries and the server; the same call always has the same."""
    colors = _OWN if bar.is_own else _LIBRARIES
    return colors[sum(map(ord, bar.name)) % len(colors)]


def _figure(source: ColumnDataSource) -> Any:
    drawn = figure(
        name="flame", height=200, sizing_mode="stretch_width", toolbar_location=None, tools="xwheel_zoom,xpan,reset",
        active_scroll="xwheel_zoom", background_fill_alpha=0, border_fill_alpha=0, outline_line_alpha=0,
        x_range=Range1d(start=0, end=1), y_range=Range1d(start=1, end=0), min_border=0,
    )  # fmt: skip
    # Labels are text, never HTML: an application chooses the names of its functions.
    drawn.quad("left", "right", "top", "bottom", fill_color="color", line_color="color", line_alpha=0.4, source=source)
    drawn.text(
        "left", "bottom", text="label", source=source, text_font_size="11px", text_color="#111827", x_offset=3,
        y_offset=-3,
    )  # fmt: skip
    drawn.add_tools(HoverTool(tooltips=[("call", "@name"), ("at", "@where"), ("in all", "@total"), ("itself", "@own")]))
    drawn.yaxis.visible = False
    drawn.grid.grid_line_color = None
    drawn.xaxis.update(
        axis_label="seconds", axis_label_text_color=_TEXT, major_label_text_color=_TEXT, axis_line_color=None,
        major_tick_line_color=None, minor_tick_line_color=None,
    )  # fmt: skip
    return drawn
