"""Calls that are due after a time, in threads that never keep the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable


def call_later(after_s: float, function: Callable[[], object]) -> threading.Timer:
    """Call this after so many seconds, in a thread; what is returned can be cancelled."""
    timer = threading.Timer(min(after_s, threading.TIMEOUT_MAX), function)
    timer.daemon = True
    timer.start()
    return timer
