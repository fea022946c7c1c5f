"""Panel's own widget for files, on a page that does not come back when its connection ends."""

import panel as pn

pn.extension("filedropper")

files = pn.widgets.FileDropper(multiple=True)
seen = pn.pane.Str("nothing yet")


def show(event):
    seen.object = f"{sum(map(len, event.new.values()))} bytes"


files.param.watch(show, "value")
pn.Column(files, seen).servable()
