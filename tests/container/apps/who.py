"""Says which container built this session, and how often it has built one; the slider's value comes back as text."""

import os
import socket
from pathlib import Path

from bokeh.layouts import column
from bokeh.models import Div, Slider
from bokeh.plotting import curdoc

counter = Path("/tmp/built")
built = int(counter.read_text() or 0) + 1 if counter.exists() else 1
counter.write_text(str(built))

slider = Slider(name="slider", title="power", start=0, end=10, value=1, step=1)
text = Div(name="text", text="1")
slider.on_change("value", lambda attr, old, new: text.update(text=str(new)))
where = Div(name="where", text=socket.gethostname())
secret = Div(name="secret", text=os.environ.get("WHO_SECRET", ""))
curdoc().add_root(column(slider, text, where, Div(name="built", text=str(built)), secret))
curdoc().title = socket.gethostname()
