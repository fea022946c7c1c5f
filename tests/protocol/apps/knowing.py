"""Shows what it knows of its user."""

import json
import logging

from bokeh.io import curdoc
from bokeh.models import Div

context = curdoc().session_context
user = context.user
curdoc().on_session_destroyed(lambda ended: logging.getLogger("knowing").info("knowing %s ended", ended.id))
seen = {
    "user": None if user is None else str(user),
    "kind": type(user).__name__,
    "claims": dict(getattr(user, "claims", {})),
    "logout_url": context.logout_url,
    "headers": sorted(name.lower() for name in context.request.headers),
    "cookies": sorted(context.request.cookies),
    "cookie_header": context.request.headers.get("Cookie", ""),
    "arguments": sorted(context.request.arguments),
    "payload": sorted(context.token_payload),
}
curdoc().add_root(Div(name="seen", text=json.dumps(seen)))
