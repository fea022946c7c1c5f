"""Hooks that leave where the request says so, and one that always does."""

import asyncio

KINDS = {kind.__name__: kind for kind in (SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, BaseException)}
KINDS["CancelledError"] = asyncio.CancelledError
KINDS["RecursionError"] = RecursionError


def leave_in(name, request):
    if request is not None and request.arguments.get("where") == [name.encode()]:
        raise KINDS[request.arguments["how"][0].decode()]


def on_server_loaded(server_context):
    raise SystemExit(4)


def on_session_created(session_context):
    leave_in("on_session_created", session_context.request)


async def on_session_destroyed(session_context):
    leave_in("on_session_destroyed", session_context.request)


def process_request(request):
    leave_in("process_request", request)
    return {}
