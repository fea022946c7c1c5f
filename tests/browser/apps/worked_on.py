"""Something of each kind that a person works out on a page: values, a selection, rows, and what only Python knows."""

from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, DataTable, Div, Slider, TableColumn, TextInput
from bokeh.plotting import curdoc, figure

document = curdoc()
assert document.session_context is not None
state = document.session_context.state
state.setdefault("added", 0)
factor = 1

source = ColumnDataSource({"x": [1, 2, 3], "y": [3, 1, 2]}, name="source")
slider = Slider(start=0, end=10, value=1, title="factor", name="slider")
text = TextInput(title="remark", name="text")
button = Button(label="add", name="button")
note = Div(text="nothing", name="note")
table = DataTable(
    source=source,
    columns=[TableColumn(field="x", title="x"), TableColumn(field="y", title="y")],
    width=300,
    height=200,
    name="table",
)
plot = figure(width=400, height=250, name="plot")
plot.scatter("x", "y", source=source, size=20)


def change(attr: str, old: float, new: float) -> None:
    global factor
    factor = int(new)
    note.text = f"factor {factor}"


def add() -> None:
    """Add a row that shows the variable, which callbacks have to work out again, and what is kept in `state`."""
    state["added"] += 1
    source.stream({"x": [3 + state["added"]], "y": [factor * state["added"]]})
    note.text = f"{state['added']} added"


slider.on_change("value", change)
button.on_click(add)
document.add_root(column(row(slider, text, button), note, row(plot, table)))
