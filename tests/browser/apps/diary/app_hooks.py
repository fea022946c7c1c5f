"""Every hook of an application, asynchronous where the other folder's are not; each leaves a line in the log."""

import asyncio


def note(line: str) -> None:
    print(f"diary: {line}", flush=True)


async def on_server_loaded(server_context):
    await asyncio.sleep(0.01)
    note("server loaded")


async def on_session_created(session_context):
    await asyncio.sleep(0.01)
    session_context.page_title = "made by the hook"
    note("session created")


async def on_session_destroyed(session_context):
    await asyncio.sleep(0.01)
    note("session destroyed")


def on_server_unloaded(server_context):
    note("server unloaded")


def process_request(request):
    return {"agent": "Chromium" if "Chrom" in request.headers.get("User-Agent", "") else "another"}
