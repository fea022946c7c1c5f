"""Shows its user's access token whenever the slider moves: what an application must never do, and a test has to."""

from bokeh.io import curdoc
from bokeh.models import Div, Slider

context = curdoc().session_context
shown = Div(name="token", text="-")
ask = Slider(name="ask", start=0, end=1000, value=0)
at_build = Div(name="at_build", text="yes" if context.access_token() else "no")


def show(attr, old, new):
    shown.text = f"{new} {context.access_token() or ''}"


ask.on_change("value", show)
curdoc().add_root(ask)
curdoc().add_root(shown)
curdoc().add_root(at_build)
