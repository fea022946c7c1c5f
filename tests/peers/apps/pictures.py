"""Images: numbers with a mapper, colours in bytes, stacks, from an address."""

import numpy as np
from bokeh.models import Button, ColorBar, LinearColorMapper, LogColorMapper, WeightedStackColorMapper
from bokeh.plotting import curdoc, figure

plot = figure(width=200, height=200, name="plot")
values = np.arange(12, dtype=np.float32).reshape(3, 4)
colours = np.zeros((2, 2), dtype=np.uint32)
colours.view(np.uint8).reshape(2, 2, 4)[:] = [255, 128, 0, 255]
layers = np.zeros((2, 2, 3), dtype=np.float64)
mapper = LinearColorMapper(palette="Viridis256", low=0, high=11, nan_color="gray")
colours_of_layers = WeightedStackColorMapper(
    palette=["red", "green", "blue"], alpha_mapper=LinearColorMapper(palette=["black"])
)
numbers = plot.image([values, values.T], x=[0, 4], y=0, dw=3, dh=4, color_mapper=mapper, name="numbers")
bytes_ = plot.image_rgba([colours], x=0, y=5, dw=2, dh=2, name="bytes")
stack = plot.image_stack([layers], x=0, y=8, dw=2, dh=2, color_mapper=colours_of_layers, name="stack")
plot.image_url(["data:image/png;base64,AAAA"], x=0, y=0, w=1, h=1)
plot.add_layout(ColorBar(color_mapper=mapper, title="Numbers"), "right")
go = Button(name="go")


def change():
    numbers.data_source.data["image"] = [values[::-1], values[:, ::2].astype(np.int16)]
    bytes_.data_source.data = {"image": [colours + 1], "x": [1], "y": [1], "dw": [1], "dh": [1]}
    numbers.data_source.patch({"image": [((0, 0, slice(0, 2)), [100.0, np.nan])]})
    stack.data_source.data = {"image": [layers.transpose(1, 0, 2).copy(order="F")]}
    mapper.palette = ["#000000", "#ffffff"]
    numbers.glyph.color_mapper = LogColorMapper(palette="Magma256", low=1, high=100)


go.on_click(change)
for root in (plot, go):
    curdoc().add_root(root)
