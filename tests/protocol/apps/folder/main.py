from bokeh.io import curdoc
from bokeh.models import Div

curdoc().add_root(Div(name="place", text=__file__))
