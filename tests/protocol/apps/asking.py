"""Shows what it knows of its request."""

import json
import logging

from bokeh.io import curdoc
from bokeh.models import Div

context = curdoc().session_context
curdoc().on_session_destroyed(lambda ended: logging.getLogger("asking").info("asking %s ended", ended.id))
request = context.request
seen = {
    "id": context.id,
    "arguments": {name: [value.decode() for value in values] for name, values in request.arguments.items()},
    "headers": {name.lower(): value for name, value in request.headers.items()},
    "cookies": {name: str(value) for name, value in request.cookies.items()},
    "remote_ip": request.remote_ip,
    "protocol": request.protocol,
    "token": context.token_payload.get("from_hook"),
}
curdoc().add_root(Div(name="seen", text=json.dumps(seen)))
