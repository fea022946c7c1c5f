"""HoloViews and hvPlot: a DynamicMap that Python redraws for each position of the slider and each tap on the plot."""

import holoviews as hv
import hvplot.pandas  # noqa: F401
import numpy as np
import pandas as pd
import panel as pn
from holoviews import streams

hv.extension("bokeh")
pn.extension()

SIDE = np.linspace(-3, 3, 121)
X, Y = np.meshgrid(SIDE, SIDE)

count = pn.widgets.IntSlider(name="Waves", start=1, end=8, value=3)
tap = streams.Tap(x=0.0, y=0.0)


def height(x: np.ndarray, y: np.ndarray, waves: int, x0: float, y0: float) -> np.ndarray:
    """The water's height around the stone that fell at x0, y0."""
    distance = np.hypot(x - x0, y - y0)
    return np.cos(waves * distance) * np.exp(-distance / 2)


def water(waves: int, x: float, y: float) -> hv.Image:
    """The pond from above."""
    image = hv.Image((SIDE, SIDE, height(X, Y, waves, x, y)), ["x", "y"], "height")
    return image.opts(cmap="Blues_r", clim=(-1, 1), width=460, height=420, title="Tap into the water")


def cut(waves: int, x: float, y: float) -> hv.Curve:
    """A cut through the stone's place, drawn by hvPlot."""
    frame = pd.DataFrame({"x": SIDE, "height": height(SIDE, np.full_like(SIDE, y), waves, x, y)})
    return frame.hvplot.line("x", "height", ylim=(-1, 1), width=460, height=420, title=f"{waves} waves, y = {y:.1f}")


pond = hv.DynamicMap(water, streams={"waves": count.param.value, "x": tap.param.x, "y": tap.param.y})
tap.source = pond
profile = hv.DynamicMap(cut, streams={"waves": count.param.value, "x": tap.param.x, "y": tap.param.y})

pn.Column("# Waves", count, pn.Row(pond, profile), margin=(10, 30)).servable(title="Waves")
