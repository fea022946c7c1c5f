"""Waiting for what somebody else does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

POLL_INTERVAL_S = 0.01
PATIENCE_S = 10.0
"""How long an idle machine may take for what is done at once."""


def patience(seconds: float) -> float:
    """`seconds`, times the number of programs that each core is shared by at the moment; at least once.

    For deadlines after which something is held to hang. What the product promises is measured as it is.
    """
    try:
        waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:  # the system does not tell
        waiting = 1.0
    return seconds * max(1.0, waiting)


def until(claim: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return when the claim holds; AssertionError after `patience_s` on an idle machine, later on a busy one."""
    begin = time.monotonic()
    while not claim():
        assert time.monotonic() < begin + patience(patience_s), f"it did not come about within {patience_s:g} s"
        time.sleep(POLL_INTERVAL_S)


async def until_soon(claim: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """As `until`, for a test on the loop that has to go on meanwhile; TimeoutError."""
    async with asyncio.timeout(patience(patience_s)):
        while not claim():
            await asyncio.sleep(POLL_INTERVAL_S)
