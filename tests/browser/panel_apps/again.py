"""Asks BokehJS to come back by itself when the connection is lost, and keeps what was set."""

import panel as pn

pn.extension(template="fast", reconnect=True)

slider = pn.widgets.IntSlider(name="slider", value=3, start=0, end=9)
shown = pn.pane.Str("-", css_classes=["shown"])
slider.param.watch(lambda event: setattr(shown, "object", f"value {event.new}"), "value")
pn.Column(slider, shown).servable(target="main")
