"""Shows what the hooks have left for it, and adds hooks of its document."""

import asyncio

from bokeh.models import Div
from bokeh.plotting import curdoc

context = curdoc().session_context
WORD = "still here"


async def at_the_end(session_context):
    await asyncio.sleep(0.01)
    print(f"diary: document destroyed, {WORD}, {session_context.id == context.id}", flush=True)


print("diary: document built", flush=True)
curdoc().title = context.page_title
curdoc().on_session_destroyed(at_the_end)
curdoc().on_session_destroyed(lambda session_context: print(f"diary: and {WORD}", flush=True))
curdoc().add_root(Div(name="agent", text=context.token_payload["agent"]))
