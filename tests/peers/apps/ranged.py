"""Ranges and legends that both sides set; factors that are exchanged."""

from bokeh.models import Button, DataRange1d, Div, FactorRange, HoverTool, Legend, LegendItem, Range1d
from bokeh.plotting import curdoc, figure

said = Div(name="said", text="")
go = Button(name="go")
plot = figure(width=200, height=200, x_range=(0, 10), y_range=DataRange1d(follow="end", name="y"), name="plot")
plot.x_range.name = "x"
first = plot.line([1, 2], [1, 2], legend_label="first", name="first")
second = plot.scatter([1, 2], [2, 1], legend_label="second", muted_alpha=0.1, name="second")
plot.legend.click_policy = "mute"
plot.legend.location = "top_left"
bars = figure(width=200, height=200, x_range=["a", "b"], name="bars")
bars.vbar(x=["a", "b"], top=[1, 2], width=0.9, name="columns")
nested = figure(width=200, height=200, x_range=FactorRange(("q", "1"), ("q", "2"), ("r", "1")), name="nested")
nested.vbar(x=[("q", "1"), ("r", "1")], top=[1, 2], width=0.5)


def tell(attr, old, new):
    said.text += f"{attr} {old} -> {new}; "


def change():
    plot.x_range.start, plot.x_range.end = 2, 8
    plot.y_range = Range1d(-1, 1, name="fixed")
    plot.extra_y_ranges = {"right": Range1d(0, 100)}
    bars.x_range.factors = ["c", "b", "a"]
    bars.renderers[0].data_source.data = {"x": ["c", "a"], "top": [5, 6]}
    nested.x_range.factors = [*nested.x_range.factors, ("r", "2")]
    plot.add_layout(Legend(items=[LegendItem(label="outside", renderers=[first])]), "right")
    plot.legend[-1].title = f"{len(plot.legend)}"
    plot.add_tools(HoverTool(tooltips=[("x", "$x")]))


plot.x_range.on_change("start", tell)
plot.x_range.on_change("end", tell)
plot.y_range.on_change("end", tell)
second.on_change("muted", tell)
first.on_change("visible", tell)
bars.x_range.on_change("factors", tell)
go.on_click(change)
for root in (plot, bars, nested, go, said):
    curdoc().add_root(root)
