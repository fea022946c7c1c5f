"""A document with a bit of everything, for sample sessions: what bokeh keeps of its models is made on the way."""

from __future__ import annotations

import contextlib
import warnings

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.model import Model
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.models.widgets import Button, DataTable, Div, Select, Slider, TableColumn, TextInput
from bokeh.plotting import figure


def fill_sample(document: Document) -> None:
    """Add plots, widgets and a slider called `slider`, whose moves change another model."""
    plot = figure(title="one", tools="pan,wheel_zoom,box_zoom,box_select,tap,reset,save")
    source = ColumnDataSource({"x": [1, 2], "y": [1, 2]})
    plot.line("x", "y", source=source, legend_label="line")
    plot.scatter([1, 2], [1, 2])
    plot.vbar(x=[1, 2], top=[1, 2])
    plot.add_tools(HoverTool())
    dates = figure(x_axis_type="datetime", y_axis_type="log")
    dates.line([1, 2], [1, 2])
    slider = Slider(name="slider", start=0, end=1000, value=0)
    shown = Div()
    table = DataTable(source=source, columns=[TableColumn(field="x")])

    def moved(attr: str, old: float, new: float) -> None:
        shown.text = str(new)
        source.data = {"x": [1, new], "y": [1, 2]}

    slider.on_change("value", moved)
    document.add_root(row(column(slider, shown, Select(), TextInput(), Button(), table), plot, dates))


def make_one_of_each() -> None:
    """Make a model of each class that there is, and forget it; bokeh says nothing of those that are deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in list(Model.model_class_reverse_map.values()):
            with contextlib.suppress(Exception):  # an abstract one, or one that needs arguments
                kind()
