"""The smallest directory application: only a main.py."""

from bokeh.plotting import curdoc, figure

plot = figure(title="A directory with one file", height=320, sizing_mode="stretch_width", name="plot")
plot.line([1, 2, 3, 4, 5], [6, 7, 2, 4, 5], line_width=3)

curdoc().add_root(plot)
