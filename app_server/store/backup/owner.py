"""Acting as the user whose folder it is: root can back up and restore sessions that belong to the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from app_server import system


@contextmanager
def as_owner_of(folder: str) -> Iterator[None]:
    """Be the owner of the folder for the time of the block, if this is root and the folder is another user's.

    A store's folder belongs to the user who runs the server, and only to that one. This holds for all threads.
    """
    try:
        about = os.stat(folder)
    except OSError:
        about = None
    if about is None or not system.is_root() or about.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(about.st_gid)
    try:
        os.seteuid(about.st_uid)
        try:
            yield
        finally:
            os.seteuid(0)
    finally:
        os.setegid(group)
