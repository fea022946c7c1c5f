"""Files that the page sends."""

import base64

from bokeh.models import Div, FileInput
from bokeh.plotting import curdoc

one = FileInput(name="one", accept=".txt")
several = FileInput(name="several", multiple=True)
said = Div(name="said")


def read(attr, old, new):
    text = base64.b64decode(new).decode()
    said.text = f"{one.filename} ({one.mime_type}): {text!r}, before {old!r}"


def read_all(attr, old, new):
    texts = [base64.b64decode(item).decode() for item in new]
    said.text = f"{several.filename}: {texts}, {type(old).__name__} before"


one.on_change("value", read)
several.on_change("value", read_all)
for root in (one, several, said):
    curdoc().add_root(root)
