"""Waiting for what somebody else does."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.client import PATIENCE_S

POLL_INTERVAL_S = 0.02


def until(claim: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return when the claim holds; AssertionError after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not claim():
        assert time.monotonic() < deadline, f"it did not come about within {patience_s:g} s"
        time.sleep(POLL_INTERVAL_S)
