"""A page of its own: roots by name, in a template with a macro and an include."""

from bokeh.layouts import column
from bokeh.models import Div, Slider
from bokeh.plotting import curdoc, figure

document = curdoc()
document.title = "Embedded <here>"
slider = Slider(start=0, end=10, value=1, name="slider")
plot = figure(width=100, height=100, name="plot")
plot.line([1, 2], [1, 2])
document.template_variables["greeting"] = "Grüß Gott"
document.template_variables["numbers"] = [1, 2, 3]


def slide(attr, old, new):
    document.template_variables["greeting"] = f"{new}"
    plot.title.text = f"{new}"


slider.on_change("value", slide)
document.add_root(column(slider, name="controls"))
document.add_root(plot)
document.add_root(Div(text="no name"))
