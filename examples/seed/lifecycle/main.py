"""Hooks that record when the server starts and when sessions begin and end."""

from bokeh.models import Div
from bokeh.plotting import curdoc
from journal import entries

rows = "".join(f"<li>{entry}</li>" for entry in entries)
curdoc().add_root(Div(text=f"<h2>So far</h2><ol>{rows}</ol>", name="journal"))
curdoc().title = "Lifecycle hooks"
