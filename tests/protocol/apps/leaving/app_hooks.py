"""Hooks of the end, of which the first takes a while."""

import asyncio
import logging

log = logging.getLogger("leaving")


async def on_session_destroyed(session_context):
    await asyncio.sleep(0.2)
    log.info("session destroyed")


def on_server_unloaded(server_context):
    log.info("server unloaded")
