"""What edit tools of the page do to columns, and models that the page makes."""

from bokeh.models import (
    BoxAnnotation,
    BoxEditTool,
    ColumnDataSource,
    Div,
    FreehandDrawTool,
    PointDrawTool,
    PolyDrawTool,
)
from bokeh.plotting import curdoc, figure

said = Div(name="said", text="")
points = ColumnDataSource({"x": [1, 2], "y": [3, 4]}, name="points")
lines = ColumnDataSource({"xs": [[1, 2]], "ys": [[3, 4]]}, name="lines")
plot = figure(width=200, height=200, name="plot")
dots = plot.scatter("x", "y", source=points)
polygons = plot.patches("xs", "ys", source=lines)
boxes = plot.rect([1], [1], [1], [1])
box = BoxAnnotation(left=0, right=1, editable=True, name="box")
plot.add_layout(box)
plot.add_tools(
    PointDrawTool(renderers=[dots], num_objects=3),
    PolyDrawTool(renderers=[polygons]),
    FreehandDrawTool(renderers=[polygons]),
    BoxEditTool(renderers=[boxes]),
)


def tell(attr, old, new):
    said.text += f"{attr} {new if not isinstance(new, dict) else dict(new)}; "


points.on_change("data", tell)
lines.on_change("data", tell)
box.on_change("left", tell)
curdoc().on_change(lambda event: said.update(tags=[*said.tags, type(event).__name__]) if event.setter else None)
for root in (plot, said):
    curdoc().add_root(root)
