"""A text that a periodic callback changes every 50 ms."""

from bokeh.io import curdoc
from bokeh.models import Div

PERIOD_MS = 50
count = Div(text="0")


def beat() -> None:
    """Count."""
    count.text = str(int(count.text) + 1)


curdoc().add_root(count)
curdoc().add_periodic_callback(beat, PERIOD_MS)
