"""Layouts whose children are exchanged, appended and sorted in place."""

from bokeh.layouts import column, gridplot, layout, row
from bokeh.models import Button, Div, GridBox, Slider, Spacer
from bokeh.plotting import curdoc, figure

pool = [Div(text=f"{number}", name=f"div {number}") for number in range(4)]
inner = row(pool[0], pool[1], name="inner")
outer = column(inner, Spacer(height=5), name="outer")
grid = GridBox(children=[(pool[2], 0, 0), (Slider(start=0, end=1, value=0), 0, 1, 1, 2)], name="grid")
names = ("replace", "append", "reverse", "nest", "regrid", "empty")
buttons = {name: Button(label=name, name=name) for name in names}


def nest():
    plots = [figure(width=50, height=50) for _ in range(2)]
    outer.children = [layout([[inner, pool[3]], [gridplot([plots], toolbar_location=None)]])]


def regrid():
    grid.children = [*grid.children[1:], (pool[2], 1, 0), (Div(text="new", styles={"color": "red"}), 1, 1)]


actions = {
    "replace": lambda: setattr(inner, "children", [pool[1], Div(text="fresh"), pool[0]]),
    "append": lambda: inner.children.append(Div(text=f"appended {len(inner.children)}")),
    "reverse": lambda: inner.children.reverse(),
    "nest": nest,
    "regrid": regrid,
    "empty": lambda: setattr(outer, "children", []),
}
for name, action in actions.items():
    buttons[name].on_click(action)
for root in (outer, grid, *buttons.values()):
    curdoc().add_root(root)
