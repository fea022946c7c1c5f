"""What a store has of whom, without claiming anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app_server.store.base import Entry, Store
from app_server.store.errors import Lost, Taken, TooLarge, Unreadable
from app_server.store.journal import HEADER_BYTES, Saved, opened_bytes, read_journal, read_opened
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


@dataclass(frozen=True)
class Found:
    """One thing that is saved. `opened` says whose it is; None if that cannot be read, and `fault` says why."""

    entry: Entry
    opened: Mapping[str, Any] | None
    fault: str = ""

    @property
    def application(self) -> str:
        """The path of the application; "" if that cannot be read."""
        return "" if self.opened is None else str(self.opened.get("application", ""))


def all_found(store: Store, keys: Keys, max_bytes: int) -> Iterator[Found]:
    """Everything that is saved, in no order. Raises Unavailable."""
    for entry in store.entries():
        try:
            opened = _opened(store, entry, keys, max_bytes)
        except (Unreadable, TooLarge) as error:
            yield Found(entry, None, error.what)
        else:
            if opened is not None:
                yield Found(entry, opened)


def saved_of(store: Store, entry: Entry, keys: Keys, max_bytes: int) -> Saved | None:
    """What is saved, also while another process goes on saving it; None if it is gone. Raises Unreadable, TooLarge."""
    if entry.size_bytes > max_bytes:
        raise TooLarge("what is saved", limit_bytes=max_bytes, size_bytes=entry.size_bytes)
    data = store.get(entry.key, max_bytes) if entry.bookmark else store.head(entry.key, max_bytes)
    return None if not data else read_journal(data, keys)


def deleted(store: Store, entry: Entry) -> bool:
    """Delete what is saved unless it has an owner; whether it was deleted."""
    if entry.bookmark:
        return store.drop(entry.key)
    try:
        claim = store.claim(entry.key, create=False)
        if claim is not None:
            store.delete(claim)
        return claim is not None
    except (Taken, Lost):
        return False


def _opened(store: Store, entry: Entry, keys: Keys, max_bytes: int) -> Mapping[str, Any] | None:
    if not entry.bookmark:
        return opened_of(store, entry.key, keys)
    data = store.get(entry.key, max_bytes)
    return None if data is None else read_opened(data, keys)
