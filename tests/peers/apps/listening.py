"""What an application hears of its document: changes, messages, and its own JSON."""

import json

from bokeh.document.events import ModelChangedEvent
from bokeh.models import Button, ColumnDataSource, Div, Slider
from bokeh.plotting import curdoc

document = curdoc()
slider = Slider(start=0, end=10, value=0, name="slider")
source = ColumnDataSource({"x": [1]}, name="source")
said = Div(name="said", text="")
counted = Div(name="counted", text="")
go = Button(name="go")
stop = Button(name="stop")
heard = []


def listen(event):
    attr = f".{event.attr}" if isinstance(event, ModelChangedEvent) else ""
    heard.append(f"{type(event).__name__}{attr} from {'a page' if event.setter else 'Python'}")


def change():
    source.stream({"x": [2]})
    source.patch({"x": [(0, 5)]})
    slider.value = 3
    document.add_root(Div(text="new"))
    document.title = "Listening"
    said.text = "; ".join(heard)


def count():
    document.remove_on_change(listen)
    written = document.to_json()
    roots = [json.loads(json.dumps(root))["name"] for root in written["roots"]]
    counted.text = f"{sorted(written)} {written['title']} {roots} {len(document.to_json_string()) > 100}"
    said.text = f"{len(heard)} heard"


def answer(data):
    said.text = f"{data!r}"


document.on_change(listen)
document.on_message("greeting", answer)
document.on_message("greeting", lambda data: counted.update(text=type(data).__name__))
go.on_click(change)
stop.on_click(count)
for root in (slider, source, said, counted, go, stop):
    document.add_root(root)
