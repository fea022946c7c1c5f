"""Shows who has asked for this session, and in which process it lives."""

import json
import os

from bokeh.models import Div, TextInput
from bokeh.plotting import curdoc

field = TextInput(name="field")
seen = Div(name="seen", text="")
answer = Div(name="answer", text="")


def tell(attr: str, old: str, new: str) -> None:
    request = curdoc().session_context.request
    who = [value.decode() for value in request.arguments.get("who", [])]
    answer.text = json.dumps({"who": who, "user": str(curdoc().session_context.user), "pid": os.getpid(), "said": new})


if os.environ.get("TITLED"):
    asked = curdoc().session_context.request.arguments.get("who", [b"nobody"])
    curdoc().title = f"whose {asked[0].decode()}"
field.on_change("value", tell)
curdoc().add_root(field)
curdoc().add_root(seen)
curdoc().add_root(answer)
