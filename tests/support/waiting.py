"""Waiting for what someone else does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

POLL_INTERVAL_S = 0.01
LONGEST_INTERVAL_S = 0.5
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


def until(
    claim: Callable[[], object],
    what: str = "what was waited for",
    patience_s: float = PATIENCE_S,
    pause_s: float = POLL_INTERVAL_S,
) -> None:
    """Return when the claim holds; AssertionError that says what did not, after `patience_s` on an idle machine.

    Between two looks there are at least `pause_s`, and as long as the look before took: it may start a program.
    """
    begin = asked = time.monotonic()
    while not claim():
        answered = time.monotonic()
        assert answered < begin + patience(patience_s), f"after {patience_s:g} s still not so: {what}"
        time.sleep(min(max(pause_s, answered - asked), LONGEST_INTERVAL_S))
        asked = time.monotonic()


async def until_soon(claim: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """As `until`, for a test on the loop that has to go on meanwhile; TimeoutError."""
    async with asyncio.timeout(patience(patience_s)):
        while not claim():
            await asyncio.sleep(POLL_INTERVAL_S)
