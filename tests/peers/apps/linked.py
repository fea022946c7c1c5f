"""Links in the browser beside callbacks in Python."""

from bokeh.events import ButtonClick, Tap
from bokeh.models import Button, CustomJS, Div, SetValue, Slider, ToggleVisibility
from bokeh.plotting import curdoc, figure

one = Slider(start=0, end=10, value=1, name="one")
two = Slider(start=0, end=10, value=1, name="two")
said = Div(name="said", text="")
plot = figure(width=200, height=200, name="plot")
unlink = Button(name="unlink")


def follow(attr, old, new):
    two.value = 10 - new
    said.text += f"one {old} -> {new}; "


def late(attr, old, new):
    said.text += f"two {old} -> {new}; "


def remove():
    one.remove_on_change("value", follow)
    one.js_on_change("value", CustomJS(args={"said": said}, code="said.text = 'linked again'"))
    one.js_link("value", plot, "outline_line_width")


one.js_link("value", two, "title", attr_selector=None)
one.js_on_change("value", CustomJS(args={"plot": plot}, code="plot.title.text = `${this.value}`"))
one.on_change("value", follow, late)
two.on_change("value", late)
plot.x_range.js_link("start", plot.y_range, "start")
plot.js_on_event(Tap, CustomJS(code="console.log(cb_obj)"))
unlink.js_on_event(ButtonClick, ToggleVisibility(target=plot), SetValue(obj=said, attr="text", value="set"))
unlink.on_click(remove)
curdoc().js_on_event("document_ready", CustomJS(code="console.log('ready')"))
for root in (one, two, said, plot, unlink):
    curdoc().add_root(root)
