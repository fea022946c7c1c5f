"""Has an extension whose file is not there."""

from bokeh.io import curdoc
from bokeh.models import Div


class Lost(Div):
    __implementation__ = "lost_in_translation.ts"


curdoc().add_root(Lost(text="never seen"))
