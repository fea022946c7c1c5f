"""What a person works out: a slider's value, rows, what only Python knows, and links to all that."""

from __future__ import annotations

from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, Slider, TextInput
from bokeh.plotting import curdoc

document = curdoc()
context = document.session_context
assert context is not None
state = context.state
state.setdefault("added", 0)
state["runs"] = state.get("runs", 0) + 1
factor = 1

slider = Slider(name="slider", start=0, end=1_000_000, value=1)
field = TextInput(name="field")
rows = ColumnDataSource(name="rows", data={"y": [0]})
note = Div(name="note", text="")
link = Div(name="link", text="")
user = Div(name="user", text=str(context.user))


def change(attr: str, old: int, new: int) -> None:
    global factor
    factor = new
    note.text = f"factor {factor}"


def do(attr: str, old: str, new: str) -> None:
    """Do what the field says, such as `add 3`: the number makes it a change."""
    if context.restoring:
        return
    word = new.split()[0]
    if word == "add":
        state["added"] += 1
        rows.stream({"y": [factor * state["added"]]})
    elif word == "link":
        link.text = context.bookmark(anyone="anyone" in new, ttl=1 if "brief" in new else 3600)
    elif word == "who":
        user.text = str(context.user)
    elif word == "revoke":
        context.revoke_bookmark(link.text)
    note.text = f"done {new}, {state['added']} added, {state['runs']} runs"


slider.on_change("value", change)
field.on_change("value", do)
document.add_root(column(slider, field, note, link, user))
document.add_root(rows)
