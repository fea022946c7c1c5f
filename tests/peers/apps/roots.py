"""Roots that come and go, and come back."""

from bokeh.models import Button, ColumnDataSource, Div
from bokeh.plotting import curdoc, figure

document = curdoc()
names = ("add", "again", "remove", "clear", "change")
buttons = {name: Button(label=name, name=name) for name in names}
source = ColumnDataSource({"x": [1, 2], "y": [3, 4]}, name="source")
plots = []


def add():
    plot = figure(width=200, height=200, name=f"plot {len(plots)}")
    plot.line("x", "y", source=source)
    plots.append(plot)
    document.add_root(plot)
    plot.title.text = "Added, then named"


def remove():
    document.remove_root(plots[-1])
    plots[-1].title.text = "Removed"


def again():
    document.add_root(plots[-1])
    document.add_root(plots[-1])
    plots[-1].title.text += ", and back"


def clear():
    document.clear()
    for button in buttons.values():
        document.add_root(button)
    document.add_root(Div(text="Cleared", name="cleared"))


def change():
    source.data = {"x": [5], "y": [6]}


for name, function in (("add", add), ("remove", remove), ("again", again), ("clear", clear), ("change", change)):
    buttons[name].on_click(function)
    document.add_root(buttons[name])
