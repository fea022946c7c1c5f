"""An application whose template fails when the page is made."""

from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text="never seen", name="text"))
