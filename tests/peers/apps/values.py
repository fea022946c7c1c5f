"""Properties set to values of every kind that Python has for them."""

import datetime as dt
import decimal
import enum

import numpy as np
import pandas as pd
from bokeh.core.properties import field, value
from bokeh.models import (
    Button,
    CategoricalTicker,
    CustomJSTickFormatter,
    DatePicker,
    DateRangeSlider,
    Div,
    FixedTicker,
    ImportedStyleSheet,
    InlineStyleSheet,
    Label,
    Range1d,
    Slider,
    TeX,
    TextInput,
)
from bokeh.plotting import curdoc, figure


class Colour(enum.StrEnum):
    RED = "red"


slider = Slider(start=0, end=10, value=1, name="slider")
picker = DatePicker(value=dt.date(2024, 2, 29), name="picker")
dates = DateRangeSlider(
    start=dt.date(2024, 1, 1), end=pd.Timestamp("2024-12-31"), value=(dt.date(2024, 2, 1), 1709164800000), name="dates"
)
plot = figure(
    width=200,
    height=200,
    x_axis_type="datetime",
    name="plot",
    x_range=(dt.datetime(2024, 1, 1), np.datetime64("2024-12-31")),
)
dots = plot.scatter(
    x=[1, 2], y=[1, 2], size=value(5), fill_color=Colour.RED, line_color=(1, 2, 3, 0.5), angle=0.5, angle_units="deg"
)
div = Div(
    text="",
    name="div",
    stylesheets=[":host { color: red }", InlineStyleSheet(css="p {}"), ImportedStyleSheet(url="a.css")],
)
text = TextInput(name="text", placeholder="„Anführung“\t\\ \u2028 </script>")
go = Button(name="go")
said = Div(text="", name="said")


def attempt(model, attr, new):
    try:
        setattr(model, attr, new)
    except Exception as error:
        said.text += f"{attr} {type(error).__name__}; "


def change():
    for number in (
        np.int8(3),
        np.float32(2.5),
        True,
        decimal.Decimal("1.5"),
        float("nan"),
        2**60,
        "4",
        None,
        np.array(5),
    ):
        attempt(slider, "value", number)
    for day in (
        dt.date(2024, 3, 1),
        dt.datetime(2024, 3, 1, 12),
        "2024-03-02",
        np.datetime64("2024-03-03"),
        "no day",
        None,
    ):
        attempt(picker, "value", day)
    for pair in (
        (dt.date(2024, 5, 1), dt.datetime(2024, 6, 1)),
        (pd.Timestamp("2024-07-01"), np.datetime64("2024-08-01")),
    ):
        attempt(dates, "value", pair)
    for start in (
        dt.datetime(2023, 1, 1, tzinfo=dt.UTC),
        pd.Timestamp("2022-01-01"),
        dt.timedelta(days=1),
        "text",
        np.nan,
    ):
        attempt(plot.x_range, "start", start)
    for colour in (
        "#abc",
        "rgb(1, 2, 3)",
        (255, 0, 0),
        (1, 2, 3, 0.25),
        0x102030,
        "transparent",
        None,
        "no colour",
        Colour.RED,
    ):
        attempt(dots.glyph, "fill_color", colour)
    for size in (7, field("x"), "x", {"field": "y"}, value(9), np.float64(3.5), {"value": 2, "units": "data"}):
        attempt(dots.glyph, "size", size)
    for width in ("auto", 5, "min", -1, None, np.int64(7)):
        attempt(div, "width", width)
    for margin in (5, (1, 2), (1, 2, 3, 4), None, [1, 2]):
        attempt(div, "margin", margin)
    for styles in ({"color": "red"}, {"font_size": "2em"}, {"no_style": 1}, None):
        attempt(div, "styles", styles)
    attempt(div, "tags", [{1}, (1, "a"), b"bytes", slice(1, 2), {"a": {2: None}}, plot.x_range])
    attempt(div, "css_classes", ("a", "b"))
    attempt(text, "value", "🍐 \u0000 \ufeff")
    attempt(text, "value", np.str_("numpy"))
    plot.xaxis.ticker = [1, 2.5, np.int64(3)]
    plot.yaxis.ticker = FixedTicker(ticks=[1], minor_ticks=[0.5])
    plot.yaxis.major_label_overrides = {1: "one", 2: TeX("2")}
    plot.xaxis.formatter = CustomJSTickFormatter(
        args={"range": plot.x_range, "n": np.arange(2)}, code="return `${tick}`"
    )
    plot.add_layout(Label(x=dt.datetime(2024, 1, 1), y=1, text="$$x^2$$", x_units="data"))
    plot.extra_x_ranges["late"] = Range1d(start=0, end=dt.datetime(2030, 1, 1))
    plot.grid.ticker = CategoricalTicker()
    plot.title = "From text"
    plot.border_fill_color = None
    plot.update(width=300, height=250, match_aspect=True)


go.on_click(change)
for root in (slider, picker, dates, plot, div, text, go, said):
    curdoc().add_root(root)
