"""Leaves, by what `how` names, where `where` says."""

import asyncio
import sys

from bokeh.io import curdoc
from bokeh.models import Div

document = curdoc()
arguments = document.session_context.request.arguments
where = (arguments.get("where") or [b""])[0].decode()
how = (arguments.get("how") or [b"SystemExit"])[0].decode()
KINDS = {
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "BaseException": BaseException,
}


def leave():
    raise KINDS[how]


async def leave_later():
    sys.exit(3)


document.template_variables["leave"] = leave if where == "template" else str
if where == "script":
    leave()
if where == "task":
    asyncio.get_running_loop().create_task(leave_later())
if where == "loop":
    asyncio.get_running_loop().call_soon(leave)
document.add_root(Div(name="fine", text="fine"))
