"""What an application knows of the request."""

import json

from bokeh.models import Div
from bokeh.plotting import curdoc

context = curdoc().session_context
request = context.request
arguments = {name: [value.decode("latin-1") for value in values] for name, values in request.arguments.items()}
headers = {
    name: value for name, value in request.headers.items() if value and name.lower() in ("x-own", "cookie", "accept")
}
known = {
    "arguments": arguments,
    "cookies": dict(request.cookies),
    "headers": headers,
    "types": [type(request.cookies).__name__, [type(value).__name__ for value in request.cookies.values()]],
    "path": [request.path, request.method, request.protocol, request.uri.partition("?")[2]],
    "payload": sorted(set(context.token_payload) - {"session_expiry", "session_id"}),
    "session": [context.destroyed, context.logout_url, context.session is None, len(context.id)],
    "server": [len(list(context.server_context.sessions)) >= 0, context.server_context.application_context.url],
}
curdoc().add_root(Div(text=json.dumps(known, sort_keys=True), name="known"))
