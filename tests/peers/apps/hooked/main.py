"""Finds what its hooks have left."""

import json

from bokeh.models import Div
from bokeh.plotting import curdoc

document = curdoc()
payload = document.session_context.token_payload
known = {
    "roots": [root.name for root in document.roots],
    "title": document.title,
    "who": payload["who"],
    "deep": payload["deep"],
    "variables": document.template_variables,
}
document.add_root(Div(text=json.dumps(known, sort_keys=True), name="known"))
