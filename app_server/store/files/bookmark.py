"""Bookmarks in a folder: files that say first when they expire."""

from __future__ import annotations

import os
import struct
from typing import Final

from app_server.store.base import Entry
from app_server.store.errors import TooLarge
from app_server.store.files.opened import Draft, names_in, open_to_read, read_whole, unlink, write_all

_SUFFIX: Final = ".view"
_EXPIRY: Final = struct.Struct(">d")


def write_bookmark(folder: int, name: str, data: bytes, expires_s: float) -> None:
    """Write the bookmark's file in one step; `expires_s` is in seconds since the epoch."""
    with Draft(folder, f"{name}{_SUFFIX}") as draft:
        write_all(draft.number, _EXPIRY.pack(expires_s) + data)
        os.close(draft.take_name())


def read_bookmark(folder: int, name: str, max_bytes: int, now_s: float) -> bytes | None:
    """The bookmark's data; None if there is none, or it has expired. Raises TooLarge before anything is read."""
    number = open_to_read(folder, f"{name}{_SUFFIX}")
    if number is None:
        return None
    try:
        size = os.fstat(number).st_size - _EXPIRY.size
        if size > max_bytes:
            raise TooLarge("the bookmark", limit_bytes=max_bytes, size_bytes=size)
        content = read_whole(number, size + _EXPIRY.size)
    finally:
        os.close(number)
    return content[_EXPIRY.size :] if _expires_s(content) > now_s else None


def count_bookmarks(folder: int) -> int:
    """How many bookmarks the folder has; some of them may have expired."""
    return sum(name.endswith(_SUFFIX) for name in names_in(folder))


def drop_bookmark(folder: int, name: str) -> bool:
    """Delete the bookmark's file; whether there was one."""
    return unlink(folder, f"{name}{_SUFFIX}")


def bookmark_entry(folder: int, name: str) -> Entry | None:
    """What `entries` tells about the bookmark; None if there is none."""
    number = open_to_read(folder, f"{name}{_SUFFIX}")
    if number is None:
        return None
    try:
        found = os.fstat(number)
        expires_s = _expires_s(os.pread(number, _EXPIRY.size, 0))
    finally:
        os.close(number)
    return Entry(name, max(0, found.st_size - _EXPIRY.size), found.st_mtime, False, True, expires_s)


def _expires_s(content: bytes) -> float:
    # Cut by a power failure: expired.
    value: float = _EXPIRY.unpack_from(content)[0] if len(content) >= _EXPIRY.size else 0.0
    return value
