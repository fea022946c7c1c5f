"""Says in the log when its session and its server end."""

from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(name="it", text="here"))
