"""What a store has of whom, without claiming anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app_server.store.base import Store
from app_server.store.errors import TooLarge
from app_server.store.journal import HEADER_BYTES, opened_bytes, read_opened
from app_server.store.keys import Keys

_MOST_BYTES: Final = 4 * 1024 * 1024
"""What the first record of a journal may have to be read for a list."""


def opened_of(store: Store, key: str, keys: Keys) -> Mapping[str, Any] | None:
    """The fields of a journal's first record; None without a journal. Raises Unreadable, Unavailable."""
    begin = store.head(key, HEADER_BYTES + 4)
    if not begin:
        return None
    size = opened_bytes(begin)
    if size > _MOST_BYTES:
        raise TooLarge("the first record", limit_bytes=_MOST_BYTES, size_bytes=size)
    return read_opened(store.head(key, size), keys)
