"""Waiting for what nothing announces, such as a file that another process writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], patience_s: float, look_every_s: float) -> bool:
    """Wait until the condition holds, for `patience_s` at most; whether it does."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + patience_s
    while not condition():
        if loop.time() >= deadline_s:
            return False
        await asyncio.sleep(look_every_s)
    return True
