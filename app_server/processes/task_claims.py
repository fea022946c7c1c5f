"""Which of a server's processes runs a task that all of them have scheduled: the one that holds its lock.

The lock is the system's, so it is free as soon as its process ends, however it does; another one goes on.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from app_server import system

log = logging.getLogger(__name__)


class TaskClaims:
    """The claims of one process; `folder` is the server's runtime directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def mine(self, name: str) -> bool:
        """Whether the task of this name is this process's to run, now and until it stops."""
        place = self._place(name)
        if self._holds(name, place):
            return True
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | system.PRIVATE, 0o600)
        except OSError as error:
            # Better twice than never.
            log.warning("Task %s may run in several processes: %s: %s", name, place, error.strerror)
            return True
        if not system.lock(descriptor):
            os.close(descriptor)
            return False
        self._held[name] = descriptor
        return True

    def cancel(self, name: str) -> None:
        """Let no process run what has been scheduled under this name until now."""
        with suppress(OSError):
            self._cancelled(name).write_text(str(time.time_ns()), encoding="ascii")

    def cancelled(self, name: str, since_ns: int) -> bool:
        """Whether a process has cancelled it since then, in nanoseconds since the epoch."""
        try:
            return int(self._cancelled(name).read_text(encoding="ascii") or 0) >= since_ns
        except (OSError, ValueError):
            return False

    def release(self) -> None:
        """Leave all tasks to other processes."""
        while self._held:
            _, descriptor = self._held.popitem()
            os.close(descriptor)

    def _holds(self, name: str, place: Path) -> bool:
        """Whether this process has the lock, of the file that the others see: the folder may have been deleted."""
        descriptor = self._held.get(name)
        if descriptor is None:
            return False
        with suppress(OSError):
            if os.stat(place).st_ino == os.fstat(descriptor).st_ino:
                return True
        os.close(self._held.pop(name))
        return False

    def _place(self, name: str) -> Path:
        return self._folder / f"task-{hashlib.blake2b(name.encode(errors='replace'), digest_size=10).hexdigest()}"

    def _cancelled(self, name: str) -> Path:
        return self._place(name).with_suffix(".cancelled")
