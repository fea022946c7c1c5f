"""A claim on work that several processes of a user would otherwise do at the same time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_POLL_INTERVAL_S: Final = 0.25


@contextmanager
def claimed(file: Path, patience_s: float) -> Iterator[None]:
    """Let one process at a time in, and nobody wait for longer than `patience_s`: who holds the claim may be stopped.

    The file is made for it, and goes with the last claim. If it cannot be written, everybody is let in.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = file.open("ab")
    except OSError:
        yield
        return
    with handle:
        deadline = time.monotonic() + patience_s
        while not (ours := _locks(handle.fileno())) and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL_S)
        try:
            yield
        finally:
            if ours:
                with suppress(OSError):
                    file.unlink()


def _locks(handle: int) -> bool:
    """Whether the file is locked for this process now; as much where its disk knows no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
