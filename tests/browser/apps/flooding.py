"""A plot that gets 10 MB of data twice a second until a page is drawn."""

import numpy as np
from bokeh.events import DocumentReady
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

x = np.arange(10.0)
source = ColumnDataSource({"x": x, "y": x}, name="source")
plot = figure(width=300, height=200, name="plot")
plot.line("x", "y", source=source)
curdoc().add_root(plot)


def flood() -> None:
    """Send more than a page keeps for a BokehJS that is not there."""
    source.data = {"x": np.zeros(640_000), "y": np.zeros(640_000)}


callback = curdoc().add_periodic_callback(flood, 500)
curdoc().on_event(DocumentReady, lambda event: curdoc().remove_periodic_callback(callback))
