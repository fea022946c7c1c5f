"""Models found by what they are and changed many at once."""

from bokeh.models import Button, Div, Line, Plot, Scatter, Slider
from bokeh.plotting import column, curdoc, figure

document = curdoc()
plots = [figure(width=100, height=100, title=f"{number}", tags=[number, "plot"]) for number in range(2)]
for plot in plots:
    plot.line([1, 2], [1, 2], name="a line")
    plot.scatter([1, 2], [1, 2], color=["red", "blue"])
said = Div(name="said", text="")
go = Button(name="go")


def change():
    document.set_select({"type": Line}, {"line_width": 7})
    plots[0].set_select(Scatter, {"size": 11})
    document.set_select({"name": "slider"}, {"value": 3})
    for plot in document.select({"type": Plot, "tags": "plot"}):
        plot.xaxis.axis_label = "The same"
        plot.grid.grid_line_color = None
    found = [
        len(list(document.select({"type": Line}))),
        document.select_one({"name": "said"}) is said,
        document.get_model_by_name("slider").value,
        document.get_model_by_id(go.id) is go,
        document.select_one({"name": "nobody"}),
        len(document.models),
    ]
    try:
        document.select_one({"type": Plot})
    except ValueError as error:
        found.append(type(error).__name__)
    said.text = f"{found}"


go.on_click(change)
document.add_root(column(*plots, Slider(start=0, end=5, value=0, name="slider")))
document.add_root(said)
document.add_root(go)
