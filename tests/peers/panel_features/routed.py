"""Shows what its address has in place of placeholders."""

import json

import panel as pn

pn.extension()

seen = {"params": pn.state.route_params, "arguments": {k: v[0].decode() for k, v in pn.state.session_args.items()}}
again = pn.widgets.TextInput(name="later", value="")
look = pn.widgets.Button(name="look")
look.on_click(lambda event: again.param.update(value=json.dumps(pn.state.route_params)))
pn.Column(pn.widgets.TextInput(name="seen", value=json.dumps(seen)), look, again).servable()
