"""Every hook, asynchronous where it may be; each writes a line to the log."""

import asyncio
import logging

log = logging.getLogger("hooked")


async def on_server_loaded(server_context):
    await asyncio.sleep(0)
    log.info("loaded with %d sessions", len(server_context.sessions))


def on_server_unloaded(server_context):
    log.info("unloaded with %d sessions", len(server_context.sessions))


async def on_session_created(session_context):
    log.info("creating %s", session_context.id[:12])
    await asyncio.sleep(0.05)
    session_context.greeting = "made by the hook"
    for kind in session_context.request.arguments.get("fail", []):
        raise asyncio.CancelledError if kind == b"CancelledError" else RuntimeError("the hook fails")
    log.info("created %s", session_context.id[:12])


async def on_session_destroyed(session_context):
    for seconds in session_context.request.arguments.get("slow", []):
        await asyncio.sleep(float(seconds))
    await asyncio.sleep(0)
    log.info("destroyed %s, %s", session_context.id[:12], session_context.destroyed)


def process_request(request):
    return {"from_hook": request.headers.get("X-Word", "nothing"), "user": {"name": "Ann", "raw": b"\x00\xff"}}
