"""Lists, dicts and columns that are changed in place."""

from bokeh.models import Button, ColumnDataSource, CustomJS, Div, MultiChoice, Plot, Range1d, Select, Tooltip
from bokeh.models.dom import HTML
from bokeh.plotting import curdoc

select = Select(options=["a", "b"], name="select")
grouped = Select(options={"one": ["a"], "two": ["b", ("c", "C")]}, name="grouped")
choice = MultiChoice(options=["a", "b", "c"], value=["a"], name="choice")
source = ColumnDataSource({"x": [1, 2, 3]}, name="source")
script = CustomJS(args={"select": select}, code="select.value = 'b'", name="script")
plot = Plot(x_range=Range1d(0, 1), y_range=Range1d(0, 1), name="plot")
div = Div(text="", styles={"color": "red"}, tags=["one"], name="div")
go = Button(name="go")
select.js_on_change("value", script)


def change():
    select.options.append("c")
    select.options[0] = "A"
    select.options += ["d"]
    del select.options[1]
    select.options.sort(reverse=True)
    grouped.options["three"] = ["x"]
    grouped.options.pop("one", None)
    choice.value.extend(["b", "c"])
    choice.value.remove("a")
    source.data["y"] = [4, 5, 6]
    source.data.update(x=[7, 8, 9], z=["a", "b", "c"])
    source.data["x"][0] = 70
    source.add([0, 0, 0], "w")
    source.remove("y")
    script.args["other"] = Div(text="new in args")
    div.styles["color"] = "blue"
    div.styles = {**div.styles, "font-size": "2em"}
    div.tags.append({"deep": [1, {"er": None}]})
    div.tags[1]["deep"].append(2)
    plot.tags = [plot.x_range]
    plot.x_range = Range1d(2, 3, bounds=(0, None))
    select.description = Tooltip(content=HTML("<b>bold</b>"), position="right")


go.on_click(change)
for root in (select, grouped, choice, source, plot, div, go):
    curdoc().add_root(root)
