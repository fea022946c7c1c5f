"""Asks BokehJS to come back by itself when the connection is lost, and keeps what was set."""

import panel as pn

pn.extension(template="fast", reconnect=True)

slider = pn.widgets.IntSlider(name="slider", value=3, start=0, end=9)
told = pn.pane.Str("-", css_classes=["told"])
slider.param.watch(lambda event: setattr(told, "object", f"value {event.new}"), "value")
pn.Column(slider, told).servable(target="main")
