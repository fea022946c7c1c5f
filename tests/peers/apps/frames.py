"""Data frames: gaps, categories, dates, time zones, nested columns and indices."""

import numpy as np
import pandas as pd
from bokeh.models import Button, CDSView, ColumnDataSource, DataTable, Div, TableColumn
from bokeh.plotting import curdoc, figure

frame = pd.DataFrame(
    {
        "whole": pd.array([1, None, 3], dtype="Int64"),
        "part": [0.5, np.nan, np.inf],
        "sort": pd.Categorical(["b", "a", None], categories=["a", "b"]),
        "day": pd.to_datetime(["2024-02-28", None, "2024-03-01"]),
        "there": pd.to_datetime(["2024-02-28", "2024-02-29", "2024-03-01"]).tz_localize("Europe/Vienna"),
        "lasting": pd.to_timedelta([1, 2, 3], unit="h"),
        "true": [True, False, True],
        "text": ["x", None, "ü"],
    }
)
nested = pd.DataFrame(np.arange(8).reshape(2, 4), columns=pd.MultiIndex.from_product([["a", "b"], ["x", "y"]]))
grouped = frame.assign(key=["k", "l", "k"]).groupby("key")[["part"]]
source = ColumnDataSource(frame, name="source")
wide = ColumnDataSource(nested, name="wide")
summary = ColumnDataSource(grouped, name="summary")
go = Button(name="go")
said = Div(name="said", text="")
plot = figure(width=200, height=200, x_axis_type="datetime", name="plot")
plot.line("day", "part", source=source)
table = DataTable(source=wide, columns=[TableColumn(field=name) for name in wide.column_names], view=CDSView())


def change():
    source.stream(frame.iloc[:1], rollover=3)
    source.data = ColumnDataSource.from_df(frame.set_index("sort").iloc[::-1])
    wide.data = nested.T.reset_index(drop=True).rename(columns=str)
    summary.data = summary.from_groupby(frame.assign(key=[1, 1, 2]).groupby("key")[["part"]])
    said.text = f"{source.to_df().dtypes.to_dict()}"


go.on_click(change)
for root in (plot, table, summary, go, said):
    curdoc().add_root(root)
