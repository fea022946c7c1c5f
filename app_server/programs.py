"""Programs that run for a while beside ours: how each of them is ended."""

from __future__ import annotations

import signal
import subprocess
from typing import Any


def end(process: subprocess.Popen[Any], patience_s: float, number: int = signal.SIGTERM) -> None:
    """Make sure that a program has ended: it gets this signal, and is killed if it still runs `patience_s` later."""
    process.send_signal(number)  # which does nothing if it has ended
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
