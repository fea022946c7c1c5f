"""What models say of themselves and of each other, also when they leave the document."""

from bokeh.models import Button, ColumnDataSource, Div, Slider
from bokeh.plotting import column, curdoc, figure

document = curdoc()
slider = Slider(start=0, end=5, value=0, name="slider")
plot = figure(width=100, height=100, name="plot")
line = plot.line([1, 2], [1, 2], name="line")
layout = column(slider, plot, name="layout")
said = Div(name="said", text="")
go = Button(name="go")


def change():
    source = line.data_source
    copy = slider.clone(value=3, name="copy")
    found = [
        slider.document is document,
        copy.document is None,
        len(plot.references()) > 5,
        line in plot.references(),
        [model.name for model in plot.select({"name": "line"})],
        plot.select_one(ColumnDataSource) is source,
        copy.value,
        sorted(slider.properties_with_values(include_defaults=False)),
        slider.equals(copy) if hasattr(slider, "equals") else None,
        slider.to_serializable is not None,
        document.get_model_by_name("slider") is slider,
    ]
    layout.children = [copy, plot]
    found += [slider.document is None, copy.document is document, document.get_model_by_name("slider")]
    slider.value = 5  # it has left: nobody hears of it
    layout.children = [slider]
    found += [plot.document is None, line.document is None, source.document is None]
    plot.title.text = "Nobody sees this"
    layout.children = [slider, plot]
    plot.title.text += ", or does"
    found += [slider.value, plot.title.text, len(document.roots)]
    document.validate()
    said.text = "\n".join(map(str, found))


go.on_click(change)
for root in (layout, said, go):
    document.add_root(root)
