"""Has a value that cannot be sent to a browser; `what` says which."""

from bokeh.io import curdoc
from bokeh.models import Circle, ColumnDataSource, Div, Plot

what = (curdoc().session_context.request.arguments.get("what") or [b""])[0].decode()
if what == "unset":
    plot = Plot()
    plot.add_glyph(ColumnDataSource({"x": [1], "y": [1]}), Circle(x="x", y="y", name="spot"))
    curdoc().add_root(plot)
else:
    div = Div(name="fine", text="fine")
    if what == "object":
        div.tags = [object()]
    elif what == "set of objects":
        div.tags = [{object()}]
    elif what == "cycle":
        loop = []
        loop.append(loop)
        div._property_values["tags"] = loop
    elif what == "data":
        div.tags = [ColumnDataSource({"x": [object()]}, name="source")]
    curdoc().add_root(div)
