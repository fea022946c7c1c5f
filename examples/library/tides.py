"""The tide of four weeks, as a function that fills a document; the programs beside this file serve it."""

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, InlineStyleSheet, SingleIntervalTicker, Slider
from bokeh.plotting import figure

DAYS = np.linspace(0, 28, 28 * 48 + 1)
# Both raise the sea twice a day; the moon is 50 minutes later each day, so they meet every other week.
MOON = np.cos(2 * np.pi * DAYS / 0.517525)
SUN = np.cos(2 * np.pi * DAYS / 0.5)
SEA, INK, MUTED = "#1c6dd0", "#1f2430", "#6b7280"
CONTROL = f":host {{ color: {MUTED}; }} .bk-slider-value {{ color: {INK}; }}"


def tides(document: Document) -> None:
    """Fill a document with a plot of the tide, and a slider for the sun's part in it."""
    source = ColumnDataSource({"day": DAYS, "height": MOON}, name="tide")
    sun = Slider(
        title="The sun's pull, in percent of the moon's",
        start=0,
        end=100,
        value=46,
        bar_color=SEA,
        sizing_mode="stretch_width",
        stylesheets=[InlineStyleSheet(css=CONTROL)],
        name="sun",
    )
    extremes = Div(styles={"color": INK, "font-size": "15px"}, name="extremes")
    plot = figure(
        height=260,
        x_range=(0, 28),
        y_range=(-2.1, 2.1),
        x_axis_label="day",
        y_axis_label="metres",
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        name="plot",
    )
    plot.varea("day", y1=-2.1, y2="height", source=source, fill_color=SEA, fill_alpha=0.13)
    plot.line("day", "height", source=source, line_color=SEA, line_width=1.4)
    plot.grid.grid_line_alpha = 0.35
    plot.xaxis.ticker = plot.xgrid[0].ticker = SingleIntervalTicker(interval=7)

    def rise(attr: str, old: float, new: float) -> None:
        share = new / 100
        source.data = {"day": DAYS, "height": MOON + share * SUN}
        extremes.text = f"Spring tides rise to <b>{1 + share:.2f} m</b>, neap tides to <b>{abs(1 - share):.2f} m</b>."

    sun.on_change("value", rise)
    rise("value", sun.value, sun.value)
    document.add_root(column(sun, extremes, plot, sizing_mode="stretch_width", styles={"max-width": "860px"}))
    document.title = "Tides"
