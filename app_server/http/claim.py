"""A lock for work that several processes of a user would otherwise do at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from app_server import system

_POLL_INTERVAL_S: Final = 0.25


@contextmanager
def claimed(file: Path, patience_s: float) -> Iterator[None]:
    """Let one process in at a time. Wait for `patience_s` seconds at most: the process that is inside may be stopped.

    The file is made for the claim and deleted after it. If it cannot be written, every process is let in.
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
                with suppress(OSError):  # closing is not enough: a child process may have the file open, too
                    system.unlock(handle)


def _locks(handle: int) -> bool:
    """Whether the file is locked for this process now; True, too, if its disk knows no locks."""
    try:
        return system.lock(handle)
    except OSError:
        return True
