"""A slider and a plot, as small as an application gets."""

from bokeh.layouts import column
from bokeh.models import Slider
from bokeh.plotting import curdoc, figure

plot = figure(height=200)
plot.line(x=[1, 2, 3], y=[3, 1, 2])
curdoc().add_root(column(Slider(name="power", start=1, end=5, value=2), plot))
