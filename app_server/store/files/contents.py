"""What is in a folder of saved sessions and what killed processes have left there."""

from __future__ import annotations

import os
import re
from typing import Final

from app_server.store.base import Entry
from app_server.store.files.bookmark import bookmark_entry
from app_server.store.files.opened import DRAFT_SUFFIX, is_locked, names_in, open_to_read, stat_of, unlink

_FILE: Final = re.compile(r"(?P<key>[0-9a-f]{64})\.session|(?P<name>[A-Za-z0-9_-]{8,128})\.view")
# A draft gets its name at once: an older one was left by a process that was killed.
_OLDEST_DRAFT_S: Final = 3600.0


def entry_of(folder: int, name: str, ttl_s: float) -> Entry | None:
    """The entry of the file with this name; None if it is not ours, or gone."""
    found = _FILE.fullmatch(name)
    if found is None:
        return None
    if found["name"]:
        return bookmark_entry(folder, found["name"])
    return _session_entry(folder, name, found["key"], ttl_s)


def _session_entry(folder: int, name: str, key: str, ttl_s: float) -> Entry | None:
    number = open_to_read(folder, name)
    if number is None:
        return None
    try:
        found, owned = os.fstat(number), is_locked(number)
    finally:
        os.close(number)
    return Entry(key, found.st_size, found.st_mtime, owned, False, None if owned else found.st_mtime + ttl_s)


def delete_old_drafts(folder: int, now_s: float) -> None:
    """Delete the drafts that were begun more than an hour before `now_s`."""
    for name in names_in(folder):
        if name.startswith(".") and name.endswith(DRAFT_SUFFIX):
            found = stat_of(folder, name)
            if found is not None and found.st_mtime < now_s - _OLDEST_DRAFT_S:
                unlink(folder, name)
