"""Patches of cells, slices and parts of images, by both sides."""

import numpy as np
from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import curdoc

source = ColumnDataSource({"a": [0, 1, 2, 3, 4], "b": list("abcde")}, name="source")
images = ColumnDataSource({"image": [np.zeros((3, 4)), np.ones((2, 2))]}, name="images")
numbers = ColumnDataSource({"n": np.arange(6, dtype=np.float64)}, name="numbers")
said = Div(name="said")
patch = Button(name="patch")
wrong = Button(name="wrong")


def patch_all():
    source.patch({"a": [(0, 10), (slice(2, 4), [12, 13])], "b": [(slice(None, None, 2), ["A", "C", "E"])]})
    images.patch({"image": [((0, 1, slice(None)), np.full(4, 7.0)), ((1, slice(0, 2), 1), [8.0, 9.0])]})
    numbers.patch({"n": [(slice(0, 3), np.array([5.0, np.nan, 7.0])), (-1 % 6, 3.25)]})


def patch_wrong():
    texts = []
    for bad in ({"c": [(0, 1)]}, {"a": [(9, 1)]}, {"a": [(slice(5, 2), [1])]}):
        try:
            source.patch(bad)
        except (ValueError, IndexError) as error:
            texts.append(f"{type(error).__name__}: {error}")
    said.text = "\n".join(texts)


def count(attr, old, new):
    said.text += f"[{source.data['a']} {source.data['b']}]"


patch.on_click(patch_all)
wrong.on_click(patch_wrong)
source.on_change("data", count)
for root in (source, images, numbers, said, patch, wrong):
    curdoc().add_root(root)
