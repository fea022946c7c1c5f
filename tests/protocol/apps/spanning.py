"""Has spans of its own, as an application does that says more about a slow callback."""

from bokeh.io import curdoc
from bokeh.models import Div, Slider
from opentelemetry import trace

slider = Slider(name="slider", start=0, end=100, value=1)
answer = Div(name="answer", text="")


def ask(attr, old, new):
    with trace.get_tracer("spanning").start_as_current_span("query") as span:
        span.set_attribute("rows", new)
        answer.text = str(new)


slider.on_change("value", ask)
curdoc().add_root(slider)
curdoc().add_root(answer)
