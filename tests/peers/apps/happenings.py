"""Events of every kind that a page reports."""

from bokeh import events
from bokeh.models import Button, Div, Dropdown, TextInput, Toggle
from bokeh.plotting import curdoc, figure

said = Div(name="said", text="")
plot = figure(width=200, height=200, name="plot")
plot.scatter([1, 2], [1, 2])
button = Button(name="button")
menu = Dropdown(label="Menu", menu=[("One", "one"), None, ("Two", "two")], name="menu")
toggle = Toggle(name="toggle")
text = TextInput(name="text")


def tell(event):
    known = {name: getattr(event, name) for name in ("x", "y", "sx", "delta", "item", "scale", "value", "final")
             if hasattr(event, name)}  # fmt: skip
    if isinstance(event, events.SelectionGeometry):
        known["geometry"] = event.geometry
    if isinstance(event, events.RangesUpdate):
        known["x0"], known["y1"] = event.x0, event.y1
    modifiers = getattr(event, "modifiers", None)
    model = getattr(getattr(event, "model", None), "name", None)
    said.text += f"{type(event).__name__}({model}) {known} {modifiers}\n"


for kind in (events.Tap, events.DoubleTap, events.Press, events.Pan, events.PanStart, events.PanEnd, events.Pinch,
             events.MouseMove, events.MouseWheel, events.LODStart, events.Reset, events.SelectionGeometry,
             events.RangesUpdate, events.Rotate):  # fmt: skip
    plot.on_event(kind, tell)
plot.on_event("mouseenter", tell)
button.on_event(events.ButtonClick, tell, lambda: said.update(text=said.text + "clicked\n"))
menu.on_click(tell)
toggle.on_click(lambda active: said.update(text=f"{said.text}toggled {active}\n"))
text.on_event(events.ValueSubmit, tell)
curdoc().on_event(events.DocumentReady, tell)
curdoc().on_event("document_ready", lambda event: said.update(text=said.text + "ready\n"))
for root in (plot, button, menu, toggle, text, said):
    curdoc().add_root(root)
