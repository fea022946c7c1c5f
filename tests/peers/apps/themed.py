"""Themes that change while a page looks."""

from bokeh.models import Div, Select
from bokeh.plotting import curdoc, figure
from bokeh.themes import Theme

document = curdoc()
document.theme = Theme(json={"attrs": {"Title": {"text_color": "green"}, "Line": {"line_width": 3}}})
plot = figure(width=200, height=200, title="A plot", name="plot")
plot.line([1, 2], [3, 4])
plot.title.align = "right"
choice = Select(options=["caliber", "dark_minimal", "own", "none"], name="choice")
own = Theme(json={"attrs": {"Plot": {"background_fill_color": "#ffeeee"}, "BaseColorBar": {"title": "own"}}})


def choose(attr, old, new):
    document.theme = {"own": own, "none": Theme(json={})}.get(new, new)
    late = figure(width=100, height=100, title=f"Made with {new}")
    late.scatter([1], [1])
    document.add_root(late)


choice.on_change("value", choose)
for root in (plot, choice, Div(text="Themes")):
    document.add_root(root)
