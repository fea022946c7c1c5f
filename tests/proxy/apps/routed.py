"""Shows what its address has in place of placeholders."""

import json

from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

params = curdoc().session_context.request.route_params
seen, more = Div(name="seen", text=json.dumps(params)), Button(name="more", label="more")
more.on_click(lambda: seen.update(text=json.dumps({**params, "more": "yes"})))
curdoc().add_root(column(seen, more))
