"""Thirteen small plots with legends and hover tools, and a slider and check boxes for each: about 610 models."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, gridplot, row
from bokeh.models import CheckboxGroup, ColumnDataSource, DataTable, HoverTool, Slider, TableColumn
from bokeh.plotting import figure

PANELS = 13
POINTS = 200
rng = np.random.default_rng(7)
x = np.arange(POINTS, dtype=float)


def panel(index: int) -> object:
    """Give one plot with a line, its markers and its controls."""
    noise = np.cumsum(rng.normal(size=POINTS))
    source = ColumnDataSource({"x": x, "y": noise})
    plot = figure(title=f"series {index}", width=300, height=220, tools="pan,wheel_zoom,box_zoom,reset")
    plot.add_tools(HoverTool(tooltips=[("x", "@x"), ("y", "@y")]))
    plot.line("x", "y", source=source, legend_label="value")
    plot.scatter("x", "y", source=source, size=3, legend_label="sample")
    gain = Slider(title="gain", start=0.0, end=2.0, step=0.05, value=1.0)
    visible = CheckboxGroup(labels=["grid", "legend"], active=[0, 1])

    def scale(attr: str, old: float, new: float) -> None:
        source.data = {"x": x, "y": noise * new}

    def show(attr: str, old: list[int], new: list[int]) -> None:
        plot.xgrid.visible = plot.ygrid.visible = 0 in new
        plot.legend.visible = 1 in new

    gain.on_change("value", scale)
    visible.on_change("active", show)
    return column(gain, visible, plot)


summary = ColumnDataSource({"name": [f"series {i}" for i in range(PANELS)], "mean": rng.normal(size=PANELS)})
table = DataTable(source=summary, columns=[TableColumn(field=name, title=name) for name in ("name", "mean")], width=300)
panels = [panel(index) for index in range(PANELS)]
curdoc().add_root(row(gridplot(panels, ncols=4, toolbar_location=None), table))
curdoc().title = "Dashboard"
