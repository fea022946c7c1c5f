"""Two plots and no widgets: a page that needs only the core of BokehJS."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import row
from bokeh.plotting import figure

x = np.linspace(0, 4 * np.pi, 200)
wave = figure(title="wave", width=400, height=400)
wave.line(x, np.sin(x), line_width=3)
dots = figure(title="dots", width=400, height=400)
dots.scatter(x, np.cos(x), size=6)

curdoc().add_root(row(wave, dots))
curdoc().title = "Plots"
