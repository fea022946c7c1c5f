"""Holds its document for ever, and lets others wait for it."""

import asyncio
import logging

from bokeh.io import curdoc
from bokeh.models import Div

document = curdoc()
context = document.session_context
log = logging.getLogger("grasping")
waiting = []


async def wait_outside():
    await context.with_locked_document(lambda locked: log.info("never reached"))
    log.info("waited %s", context.id)


async def hold():
    waiting.append(asyncio.create_task(wait_outside()))
    await asyncio.sleep(3600)


document.add_next_tick_callback(hold)
document.add_root(Div(name="held", text="held"))
