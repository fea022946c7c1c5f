"""The end of a server and of its process, which nothing may hold up."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable

log = logging.getLogger(__name__)


async def stop_within(deadline_s: float, stopping: Awaitable[None]) -> None:
    """Wait for a server to stop, and give up with a line in the log after so many seconds."""
    try:
        async with asyncio.timeout(deadline_s):
            await stopping
    except TimeoutError:
        log.error("Not everything ended within %g s; stopping anyway", deadline_s)


def exit_despite_threads(after_s: float, status: int) -> None:
    """End the process after so many seconds, although threads of applications may still run.

    The interpreter waits for them, and some run for ever.
    """
    timer = threading.Timer(after_s, os._exit, (status,))
    timer.daemon = True
    timer.start()
