"""Shows, when it is asked, the arguments that its page was asked for with."""

import json

from bokeh.layouts import column
from bokeh.models import Div, TextInput
from bokeh.plotting import curdoc

field = TextInput(name="field")
seen = Div(name="seen", text="nothing")


def tell(attr: str, old: str, new: str) -> None:
    context = curdoc().session_context
    arguments = {name: [value.decode() for value in values] for name, values in context.request.arguments.items()}
    seen.text = json.dumps([arguments, context.token_payload.get("from_hook"), context.request.headers.get("X-Word")])


field.on_change("value", tell)
curdoc().add_root(column(field, seen))
