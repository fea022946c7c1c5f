"""Shows what the tasks have counted, and cancels one."""

import json

import panel as pn

pn.extension()

counts = pn.state.cache["counts"]
shown = pn.widgets.TextInput(name="counts", value=json.dumps(counts))
look = pn.widgets.Button(name="look")
look.on_click(lambda event: shown.param.update(value=json.dumps({**counts, "looks": look.clicks})))
cancel = pn.widgets.Button(name="cancel")
cancel.on_click(lambda event: pn.state.cancel_task("period"))
pn.Column(shown, look, cancel).servable()
