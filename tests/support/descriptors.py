"""The descriptors of this process: which are open, and a block in which it can open none."""

from __future__ import annotations

import gc
import os
import resource
import socket
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


def descriptors_of(sock: socket.socket) -> list[int]:
    """This process's descriptors of that socket: its own, and copies that it was sent or has made."""
    inode = os.fstat(sock.fileno()).st_ino
    found = []
    for descriptor in channels():
        with suppress(OSError):  # another thread has closed it
            if os.fstat(descriptor).st_ino == inode:
                found.append(descriptor)
    return sorted(found)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """A block in which this process has no free descriptor, and no garbage whose collection would free one."""
    gc.collect()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with collected_later():
        lowest = os.open("/", os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def collected_later() -> Iterator[None]:
    """A block in which Python collects no garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
