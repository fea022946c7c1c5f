"""A dashboard with a sidebar, figures, a plot and a table that Python updates at each change."""

from io import StringIO

import numpy as np
import pandas as pd
import panel as pn
from bokeh.plotting import figure

pn.extension("tabulator")

CROPS = ("Barley", "Beans", "Oats", "Wheat")
COLOURS = dict(zip(CROPS, ("#c9a227", "#5f8d4e", "#b5651d", "#e0b84c"), strict=True))


@pn.cache
def harvests() -> pd.DataFrame:
    """Tonnes of each crop by year, made up once for all visitors."""
    rng = np.random.default_rng(7)
    years = np.arange(1990, 2026)
    columns = {}
    for position, crop in enumerate(CROPS):
        trend = 40 + 12 * position + 0.8 * (years - years[0])
        columns[crop] = np.round(trend + np.cumsum(rng.normal(0, 3, years.size)), 1)
    return pd.DataFrame({"Year": years, **columns})


crops = pn.widgets.CheckBoxGroup(name="Crops", options=list(CROPS), value=["Beans", "Wheat"])
years = pn.widgets.IntRangeSlider(name="Years", start=1990, end=2025, value=(2000, 2025))
smooth = pn.widgets.IntSlider(name="Mean over years", start=1, end=9, value=1)


def chosen(crops: list[str], years: tuple[int, int], smooth: int) -> pd.DataFrame:
    """The rows and columns that the sidebar asks for."""
    table = harvests()
    means = table[list(crops)].rolling(smooth, min_periods=1).mean().round(1)
    means.insert(0, "Year", table["Year"])
    return means[means["Year"].between(*years)]


def curves(crops: list[str], years: tuple[int, int], smooth: int) -> figure:
    """One line for each crop."""
    table = chosen(crops, years, smooth)
    plot = figure(
        height=320, sizing_mode="stretch_width", x_axis_label="Year", y_axis_label="Tonnes", name="curves",
        tools="xpan,xwheel_zoom,reset", toolbar_location="above",
    )  # fmt: skip
    for crop in crops:
        plot.line(table["Year"], table[crop], color=COLOURS[crop], width=3, legend_label=crop)
    if crops:
        plot.legend.location = "top_left"
        plot.legend.orientation = "horizontal"
    return plot


def total(crops: list[str], years: tuple[int, int]) -> pn.indicators.Number:
    """All that was harvested."""
    tonnes = float(chosen(crops, years, 1).drop(columns="Year").to_numpy().sum())
    return pn.indicators.Number(name="Harvested", value=tonnes, format="{value:,.0f} t", font_size="32pt")


def best(crops: list[str], years: tuple[int, int]) -> pn.indicators.Number:
    """The year with the most."""
    table = chosen(crops, years, 1).set_index("Year")
    year = int(table.sum(axis=1).idxmax()) if crops else 0
    return pn.indicators.Number(name="Best year", value=year, format="{value:d}", font_size="32pt")


def rows(crops: list[str], years: tuple[int, int], smooth: int) -> pd.DataFrame:
    """The table, newest first."""
    return chosen(crops, years, smooth)[::-1]


table = pn.widgets.Tabulator(
    pn.bind(rows, crops, years, smooth), show_index=False, pagination="remote", page_size=8, disabled=True,
    sizing_mode="stretch_width", layout="fit_columns", formatters={"Year": {"type": "plaintext"}}, name="table",
)  # fmt: skip
save = pn.widgets.FileDownload(
    callback=pn.bind(lambda *given: StringIO(rows(*given).to_csv(index=False)), crops, years, smooth),
    filename="harvests.csv", label="Save the table", button_type="primary",
)  # fmt: skip

pn.template.FastListTemplate(
    title="Harvests",
    accent="#5f8d4e",
    sidebar=["### What to show", crops, years, smooth, save],
    main=[
        pn.FlexBox(pn.panel(pn.bind(total, crops, years)), pn.panel(pn.bind(best, crops, years)), gap="60px"),
        pn.panel(pn.bind(curves, crops, years, smooth), sizing_mode="stretch_width"),
        table,
    ],
).servable()
