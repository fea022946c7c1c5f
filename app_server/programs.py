"""Programs that run beside ours: how each of them is ended, and how one takes our place for a while."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def end(process: subprocess.Popen[Any], patience_s: float, number: int = signal.SIGTERM) -> None:
    """Make sure that a program has ended: it gets this signal, and is killed if it still runs `patience_s` later."""
    process.send_signal(number)  # which does nothing if it has ended
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_in_front(words: Sequence[str]) -> int:
    """Run a program with our terminal, stdin and stdout; its status, as a shell gives it. Ctrl-C is not for us."""
    # A handler, because a program that is started would go on ignoring what is ignored here.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        status = subprocess.Popen(words).wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status
