"""A name with a space and brackets."""

from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text="brackets"))
