"""Shows what it knows of the request for its page, and counts the presses of a button."""

import json
import sys

from bokeh.layouts import column
from bokeh.models import Button, Div, PreText
from bokeh.plotting import curdoc

document = curdoc()
context = document.session_context
request = context.request
report = PreText(name="report")
report.text = json.dumps(
    {
        "arguments": {name: [value.decode() for value in values] for name, values in request.arguments.items()},
        "cookies": {name: str(value) for name, value in request.cookies.items()},
        "header": request.headers.get("X-Asked", ""),
        "argv": sys.argv[1:],
        "id": context.id,
    }
)
presses = Div(name="presses", text="0")
button = Button(label="Press")
button.on_click(lambda: presses.update(text=str(int(presses.text) + 1)))
document.add_root(column(report, presses, button))
document.title = "Asked"
