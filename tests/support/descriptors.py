"""The descriptors of this process: which are open, and a block in which it can open none."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def channels() -> set[int]:
    """This process's pipes, sockets and selectors; files, of which a measurement may open some, are left out."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the descriptor of this listing is closed by now
            if not os.readlink(f"/proc/self/fd/{name}").startswith("/"):
                found.add(int(name))
    return found


@contextmanager
def no_descriptors() -> Iterator[None]:
    """A block in which this process has no free descriptor."""
    lowest = os.open("/", os.O_RDONLY)
    os.close(lowest)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
