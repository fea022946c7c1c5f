"""Its document's hook of the end needs names of this script."""

import logging

from bokeh.io import curdoc
from bokeh.models import Div

context = curdoc().session_context
log = logging.getLogger("hooked")
SHARED_WORD = "still here"
log.info("building %s", context.id[:12])


class Farewell:
    def say(self, session_context):
        log.info("farewell %s: %s", session_context.id[:12], SHARED_WORD)


def at_the_end(session_context):
    Farewell().say(session_context)
    raise ValueError("the end fails")


async def after_the_end(session_context):
    log.info("epilogue %s: %s", session_context.id[:12], SHARED_WORD)


curdoc().on_session_destroyed(at_the_end)
curdoc().on_session_destroyed(after_the_end)
curdoc().add_root(
    Div(
        name="seen",
        text=f"{context.greeting}, {context.token_payload['user']['name']}, {context.token_payload['from_hook']}",
    )
)
