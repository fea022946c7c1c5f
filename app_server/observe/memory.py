"""How much memory a process uses, as the system reports it."""

from __future__ import annotations

import os
from pathlib import Path

from app_server import system


def resident_bytes() -> int:
    """The memory of this process that is in RAM, in bytes; its peak if the system reports nothing else, or 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return system.peak_memory_bytes()


def proportional_bytes() -> int | None:
    """The same, with what is shared with other processes divided among them; None if the system does not report it."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError):
        return None
