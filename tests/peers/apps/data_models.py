"""Models of the application's own, without JavaScript."""

from bokeh.core.properties import Dict, Either, Enum, Instance, Int, List, Nullable, String, Tuple
from bokeh.model import DataModel
from bokeh.models import Button, CustomJS, Div, TextInput
from bokeh.plotting import curdoc


class Wheel(DataModel):
    spokes = Int(default=32)
    rim = Nullable(String)


class Bicycle(DataModel):
    name_of_it = String(default="nameless")
    wheels = List(Instance(Wheel), default=[])
    gears = Either(Int, Tuple(Int, Int), default=1)
    kind = Enum("city", "road")
    parts = Dict(String, Int)


class Tandem(Bicycle):
    seats = Int(default=2)


bicycle = Tandem(wheels=[Wheel(), Wheel(spokes=36, rim="alloy")], parts={"bell": 1}, name="bicycle")
front = bicycle.wheels[0]
front.name = "front"
text = TextInput(name="text")
said = Div(name="said", text="")
go = Button(name="go")
text.js_link("value", bicycle, "name_of_it")
go.js_on_click(CustomJS(args={"bicycle": bicycle}, code="bicycle.seats = 3"))


def tell(attr, old, new):
    said.text += f"{attr}: {old} -> {new}; "


def change():
    bicycle.gears = (3, 7)
    bicycle.kind = "road"
    bicycle.parts["lamp"] = 2
    bicycle.wheels.append(Wheel(spokes=28))
    bicycle.wheels[-1].rim = "carbon"


for attr in ("name_of_it", "gears", "seats"):
    bicycle.on_change(attr, tell)
front.on_change("spokes", tell)
go.on_click(change)
for root in (bicycle, text, said, go):
    curdoc().add_root(root)
