"""Glyphs, mappers, fields and expressions exchanged; renderers added and taken away."""

from bokeh.models import (
    Button,
    ColumnDataSource,
    CustomJSHover,
    GraphRenderer,
    HoverTool,
    Scatter,
    StaticLayoutProvider,
    VBar,
)
from bokeh.palettes import Category10_3
from bokeh.plotting import curdoc, figure
from bokeh.transform import cumsum, dodge, factor_cmap, jitter, linear_cmap, log_cmap, stack

source = ColumnDataSource({"x": [1, 2, 3], "y": [3, 1, 2], "kind": ["a", "b", "c"]}, name="source")
plot = figure(width=200, height=200, name="plot")
dots = plot.scatter("x", "y", source=source, size=8, color=linear_cmap("y", "Viridis256", 1, 3), name="dots")
wedges = plot.annular_wedge(x=0, y=0, inner_radius=1, outer_radius=2, start_angle=cumsum("y", include_zero=True),
                            end_angle=cumsum("y"), source=source, name="wedges")  # fmt: skip
graph = GraphRenderer(name="graph")
graph.node_renderer.data_source.data = {"index": [0, 1]}
graph.edge_renderer.data_source.data = {"start": [0], "end": [1]}
graph.layout_provider = StaticLayoutProvider(graph_layout={0: (0, 0), 1: (1, 1)})
plot.renderers.append(graph)
go = Button(name="go")


def change():
    dots.glyph.fill_color = factor_cmap("kind", Category10_3, ["a", "b", "c"])
    dots.glyph.line_color = log_cmap("y", "Magma256", 1, 10)
    dots.glyph.size = {"field": "y", "units": "data"} if False else "x"
    dots.glyph.x = dodge("x", 0.25)
    dots.glyph.y = jitter("y", width=0.1, mean=0.5)
    dots.selection_glyph = Scatter(marker="square", fill_alpha=0.5)
    wedges.glyph = VBar(x="x", top=stack("y", "x"), width=0.5)
    wedges.data_source = ColumnDataSource({"x": [9], "y": [9]})
    graph.layout_provider.graph_layout = {0: (1, 0), 1: (0, 1)}
    graph.node_renderer.glyph = Scatter(size=3)
    plot.renderers.remove(graph)
    plot.hspan(y=[1], line_dash="dashed")
    hover = HoverTool(tooltips=[("y", "@y{custom}")], formatters={"@y": CustomJSHover(code="return `${value}`")})
    plot.tools = [hover, *plot.tools[:2]]
    plot.toolbar.active_inspect = hover


go.on_click(change)
for root in (plot, go):
    curdoc().add_root(root)
