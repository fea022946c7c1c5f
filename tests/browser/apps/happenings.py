"""Events of the plot, the buttons and the page, each reported as Python sees it; messages go both ways."""

import json

import numpy as np
from bokeh.document.events import MessageSentEvent
from bokeh.events import ButtonClick, DocumentReady, MenuItemClick, SelectionGeometry, Tap
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, CustomJS, Div, Dropdown, PreText, Slider
from bokeh.plotting import curdoc, figure

document = curdoc()
source = ColumnDataSource({"x": [1, 2, 3, 4], "y": [1, 2, 3, 4]}, name="points")
plot = figure(width=400, height=300, x_range=(0, 5), y_range=(0, 5), tools="tap,box_select", name="plot")
plot.scatter("x", "y", size=12, source=source)
plot.toolbar.active_drag = plot.tools[1]
button = Button(label="Click me")
menu = Dropdown(label="Menu", menu=[("First", "one"), ("Second", "two")])
report = PreText(name="report", text="{}")
local = Slider(name="local", start=0, end=100, value=0, title="stays in the browser")
mirror = Div(name="mirror", text="untouched")
latest: dict[str, object] = {"clicks": 0}


def tell(**news: object) -> None:
    latest.update(news)
    report.text = json.dumps(latest)


plot.on_event(Tap, lambda event: tell(tap=[round(event.x, 1), round(event.y, 1)], model=event.model is plot))
plot.on_event(SelectionGeometry, lambda event: tell(geometry=event.geometry["type"], final=event.final))
source.selected.on_change("indices", lambda attr, old, new: tell(selected=new))
button.on_event(ButtonClick, lambda event: tell(event=event.event_name))
button.on_click(lambda: tell(clicks=latest["clicks"] + 1))
menu.on_event(MenuItemClick, lambda event: tell(item=event.item))
document.on_event(DocumentReady, lambda event: tell(ready=True))

# A property that no one changes in Python, set and read by the browser alone.
local.js_on_change("value", CustomJS(args={"mirror": mirror}, code="mirror.text = `browser: ${cb_obj.value}`"))


def answer(data: dict[str, object]) -> None:
    """Reply to a message with one that carries an array."""
    tell(message=data)
    reply = {"about": data["word"], "numbers": np.arange(3, dtype=np.int32)}
    document.callbacks.trigger_on_change(MessageSentEvent(document, "answer", reply))


document.on_message("question", answer)
document.add_root(column(row(plot, column(button, menu, local, mirror)), report))
