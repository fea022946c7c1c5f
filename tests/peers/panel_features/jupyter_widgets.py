"""Widgets of Jupyter: what the visitor does reaches Python, and what Python does reaches the page, bytes too."""

import struct
import zlib

import ipywidgets as ipw
import panel as pn

pn.extension("ipywidgets")


def png(width):
    """A picture of that width, one pixel high."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(width + 1))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


slider = ipw.IntSlider(value=3, min=0, max=10, description="level")
text = ipw.Text(value="empty", description="note")
picture = ipw.Image(value=png(1), format="png")
shown = pn.pane.Str(f"level {slider.value}", css_classes=["shown"])


def moved(change):
    shown.object = f"level {change['new']}"
    text.value = f"moved to {change['new']}"
    picture.value = png(change["new"])


slider.observe(moved, "value")
written = pn.pane.Str("-", css_classes=["written"])
text.observe(lambda change: written.param.update(object=change["new"]), "value")
reset = pn.widgets.Button(name="reset")
reset.on_click(lambda event: setattr(slider, "value", 1))
both = pn.bind(lambda value: f"bound {value}", slider)
pn.Column(ipw.VBox([slider, text, picture]), shown, written, reset, pn.panel(both)).servable()
