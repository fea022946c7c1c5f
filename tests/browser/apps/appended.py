"""Tables that come one after another, in one callback; a second button gives them rows."""

from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, DataTable, Div, Slider, TableColumn, TabPanel, Tabs
from bokeh.plotting import curdoc

source = ColumnDataSource({"fruit": ["kiwi"]})
below = column(Div(text="Tables"))
tabs = Tabs(tabs=[], width=300)


def table() -> DataTable:
    return DataTable(source=source, columns=[TableColumn(field="fruit", title="Fruit")], width=300, height=120)


def append() -> None:
    below.children.append(table())
    below.children.append(Slider(start=0, end=5, value=1, title="Between"))
    below.children.append(table())
    tabs.tabs.append(TabPanel(child=table(), title="One"))
    tabs.tabs.append(TabPanel(child=Div(text="Two"), title="Two"))


def replace() -> None:
    below.children = [table()]
    below.children = []
    below.children = [table(), table()]


append_button, replace_button = Button(label="Append"), Button(label="Replace")
append_button.on_click(append)
replace_button.on_click(replace)
stream_button = Button(label="Stream")
stream_button.on_click(lambda: source.stream({"fruit": ["plum"]}))
for root in (append_button, replace_button, stream_button, below, tabs):
    curdoc().add_root(root)
