"""Column data of many kinds, changed by Python at the push of a button and by the browser through CustomJS."""

import json

import numpy as np
import pandas as pd
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, CustomJS, DataTable, IntEditor, PreText, StringEditor, TableColumn
from bokeh.plotting import curdoc, figure

KINDS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "bool", "int64", "datetime64[ms]")

replaced = ColumnDataSource({"x": [1, 2, 3], "y": [1, 2, 3]}, name="replaced")
streamed = ColumnDataSource({"x": np.arange(5), "y": ["a", "b", "c", "d", "e"]}, name="streamed")
patched = ColumnDataSource({"x": np.zeros(10), "word": [""] * 10}, name="patched")
images = ColumnDataSource({"image": [np.zeros((4, 5)), np.zeros((2, 2), dtype=np.uint8)]}, name="images")
framed = ColumnDataSource({"index": []}, name="framed")
edited = ColumnDataSource({"fruit": ["fig", "kiwi", "lime"], "count": [1, 2, 3]}, name="edited")
report = PreText(name="report", text="{}")

plot = figure(width=300, height=200, name="plot")
plot.line("x", "y", source=replaced)
table = DataTable(
    source=edited,
    columns=[
        TableColumn(field="fruit", title="fruit", editor=StringEditor()),
        TableColumn(field="count", title="count", editor=IntEditor()),
    ],
    editable=True,
    width=300,
    height=140,
    name="table",
)


def tell(source: ColumnDataSource) -> None:
    reported = json.loads(report.text)
    reported[source.name] = {name: np.asarray(values).tolist() for name, values in source.data.items()}
    report.text = json.dumps(reported)


def replace() -> None:
    data = {kind: np.arange(4).astype(kind) for kind in KINDS}
    data["square"] = [np.arange(6, dtype=np.int16).reshape(2, 3)] * 4
    data["none"] = [float("nan"), float("inf"), None, 1]
    data["x"], data["y"] = np.linspace(0, 1, 4), np.linspace(0, 9, 4)[::-1]
    replaced.data = data


def stream() -> None:
    streamed.stream({"x": [5, 6], "y": ["f", "g"]}, rollover=6)
    streamed.stream({"x": np.array([7]), "y": ["h"]}, rollover=6)


def patch() -> None:
    patched.patch({"x": [(0, 1.5), (slice(2, 5), [2, 3, 4]), (slice(6, 10, 2), np.array([6, 8]))], "word": [(9, "w")]})
    images.patch({"image": [((0, 1, slice(0, 5, 2)), [1.0, 2.0, 3.0]), ((1, slice(0, 2), 1), np.array([7, 9]))]})


def frame() -> None:
    table = pd.DataFrame(
        {"level": pd.Categorical(["low", "high"]), "share": [0.25, 0.75], "count": pd.array([1, 2], dtype="int32")},
        index=pd.DatetimeIndex(["2026-01-01", "2026-01-02"], name="day"),
    )
    framed.data = table
    framed.stream(table[1:])


for label, function in {"Replace": replace, "Stream": stream, "Patch": patch, "Frame": frame}.items():
    button = Button(label=label)
    button.on_click(function)
    curdoc().add_root(button)

browser_edits = Button(label="Browser edits")
browser_edits.js_on_click(
    CustomJS(
        args={"replaced": replaced, "streamed": streamed, "patched": patched},
        code="""
            replaced.data = {x: new Float32Array([1, 2]), y: new Float64Array([3, 4]), word: ["one", "two"]}
            streamed.stream({x: [10], y: ["z"]}, 5)
            const {Slice} = Bokeh.require("core/util/slice")
            patched.patch({x: [[1, -1], [new Slice({start: 3, stop: 5}), [-3, -4]]], word: [[0, "first"]]})
        """,
    )
)
for source in (streamed, patched, edited):
    source.on_change("data", lambda attr, old, new, source=source: tell(source))
replaced.on_change("data", lambda attr, old, new: tell(replaced) if "word" in new else None)
curdoc().add_root(browser_edits)
report.tags = [streamed, patched, images, framed]  # which nothing draws
curdoc().add_root(column(row(plot, table), report))
