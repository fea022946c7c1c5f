"""Arrays of every type, shape and layout in columns: at the start, replaced, streamed and patched."""

import array
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import curdoc

KINDS = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
]
numbers = ColumnDataSource({kind: np.arange(4).astype(kind) for kind in KINDS}, name="numbers")
base = np.arange(24, dtype=np.float64).reshape(4, 6)
shapes = ColumnDataSource(
    {
        "rows": list(base),
        "matrix": base,
        "every other": base[:, ::2],
        "fortran": np.asfortranarray(base),
        "turned": base.T[:4],
        "swapped": base[:, 0].astype(">f8"),
        "broadcast": np.broadcast_to(np.float32(1.5), (4,)),
        "cube": np.zeros((4, 2, 2), dtype=np.uint8),
        "empty rows": np.zeros((4, 0)),
        "ragged": [np.arange(n) for n in range(4)],
        "nested": [[1, [2.5, None]], [], [[np.int8(3)]], [np.array([4])]],
    },
    name="shapes",
)
days = np.array(["2024-02-28", "NaT", "1969-12-31", "2024-02-29"], dtype="datetime64[D]")
others = ColumnDataSource(
    {
        "days": days,
        "moments": days.astype("datetime64[ns]"),
        "lasting": np.array([1, "NaT", 3, 4], dtype="timedelta64[s]"),
        "text": np.array(["a", "", "üñ", "🍐"]),
        "objects": np.array([1, "two", None, 3.5], dtype=object),
        "masked": np.ma.masked_array([1.0, 2.0, 3.0, 4.0], mask=[0, 1, 0, 0]),
        "python": [datetime(2024, 2, 29, 12), date(2024, 2, 29), timedelta(hours=1), None],
        "zoned": [datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=n))) for n in range(4)],
        "stamps": [pd.Timestamp("2024-02-29"), pd.NaT, pd.Timestamp(0), pd.Timestamp("2024-02-29", tz="UTC")],
        "scalars": [np.float32(0.1), np.int64(2**40), np.bool_(True), np.datetime64("2024-02-29")],
        "big": [2**53, -(2**53), 2**53 - 1, 0],
        "special": [float("nan"), float("inf"), float("-inf"), -0.0],
        "series": pd.Series([1, None, 3, 4]),
        "index": pd.Index(["a", "b", "c", "d"]),
        "typed": array.array("d", [1, 2, 3, 4]),
        "tuple": (1, 2, 3, 4),
        "complexity": [{"a": np.arange(2)}, {"b": [np.nan]}, {}, {1: 2}],
    },
    name="others",
)
said = Div(name="said", text="")
change = Button(name="change")
stream = Button(name="stream")
patch = Button(name="patch")


def change_all():
    numbers.data = {kind: np.asarray([0, 1], dtype=kind) for kind in reversed(KINDS)}
    for name in ("rows", "every other", "fortran", "swapped"):
        shapes.data[name] = shapes.data[name][::-1]
    others.data = {name: column[:2] for name, column in others.data.items()}
    others.tags = [np.float64("nan"), np.arange(3), np.int16(7), np.str_("text"), {"when": np.datetime64("2024-02-29")}]


def stream_all():
    numbers.stream({kind: np.ones(3, dtype="float64") * 300 for kind in KINDS}, rollover=4)
    others.stream({name: list(column[:1]) for name, column in others.data.items()})
    said.text = f"{[str(numbers.data[kind].dtype) for kind in KINDS]}"


def patch_all():
    numbers.patch({kind: [(0, 1), (slice(1, 3), np.array([2, 3]))] for kind in ("int8", "float32", "bool")})
    others.patch({"text": [(0, "patched")], "objects": [(1, None)], "days": [(0, np.datetime64("2024-01-01"))]})


change.on_click(change_all)
stream.on_click(stream_all)
patch.on_click(patch_all)
for root in (numbers, shapes, others, said, change, stream, patch):
    curdoc().add_root(root)
