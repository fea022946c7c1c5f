"""Tabs whose content is made when the person first looks at it."""

from bokeh.models import Div, TabPanel, Tabs
from bokeh.plotting import column, curdoc, figure

made = {0}
first = TabPanel(child=Div(text="Here at once"), title="First")
others = [TabPanel(child=column(Div(text="…")), title=f"Tab {number}") for number in range(3)]
tabs = Tabs(tabs=[first, *others], name="tabs")


def fill(attr, old, new):
    if new in made:
        tabs.tabs[new].title += "!"
        return
    made.add(new)
    if new == 3:
        tabs.tabs = [*tabs.tabs, TabPanel(child=Div(text="more"), title="One more")]
        return
    plot = figure(width=200, height=200, title=f"Plot {new}")
    plot.line([1, 2, 3], [new, 2 * new, 3 * new])
    tabs.tabs[new].child.children = [plot, Div(text=f"Tab {old} was left")]


tabs.on_change("active", fill)
curdoc().add_root(tabs)
