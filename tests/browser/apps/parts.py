"""A plot, to which the address adds something that needs another part of BokehJS: `?what=table&when=100`.

`when` is a number of milliseconds, `tick` for the next one, `drawn` for the time when the page was drawn, or `back` for
when it has reconnected, or `asked` for when the page sets the plot's title to "now".
"""

from bokeh.events import ClientReconnected, DocumentReady
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, DataTable, Div, Label, Model, TableColumn
from bokeh.plotting import figure

document = curdoc()
asked = document.session_context.request.arguments
what = asked.get("what", [b""])[0].decode()
when = asked.get("when", [b""])[0].decode()

plot = figure(width=300, height=200, title="", name="plot")
plot.line([1, 2, 3], [1, 3, 2])
place = column(plot, name="place")
document.add_root(place)


def table() -> Model:
    """A table of two rows."""
    source = ColumnDataSource({"fruit": ["fig", "kiwi"]})
    return DataTable(source=source, columns=[TableColumn(field="fruit", title="fruit")], width=300, name="added")


def webgl() -> Model:
    """A plot that is drawn by WebGL."""
    made = figure(width=300, height=200, output_backend="webgl", name="added")
    made.scatter([1, 2, 3], [1, 3, 2], size=20)
    return made


def add() -> None:
    """Add what the address asks for."""
    if what == "label":
        plot.add_layout(Label(x=1, y=2, text=r"$$\frac{1}{2}$$", name="added"))
    elif what == "formula":
        place.children = [*place.children, Div(text=r"A \(\frac{1}{2}\) of it", name="added")]
    else:
        place.children = [*place.children, {"table": table, "webgl": webgl}[what]()]
    document.add_timeout_callback(follow, 1)


def follow() -> None:
    """Change something that needs no further part, in a message of its own."""
    plot.title.text = "what follows"


if what == "broken":
    plot.xaxis.formatter = CustomJSTickFormatter(code="throw new Error('this plot cannot be drawn')")
if when == "asked":
    plot.title.on_change("text", lambda attr, old, new: add() if new == "now" else None)
elif when == "tick":
    document.add_next_tick_callback(add)
elif when in ("drawn", "back"):
    document.on_event({"drawn": DocumentReady, "back": ClientReconnected}[when], lambda event: add())
elif when:
    document.add_timeout_callback(add, int(when))
