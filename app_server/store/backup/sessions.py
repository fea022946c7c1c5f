"""Saved sessions and bookmarks on their way from a store to a backup, and back. No key is needed: nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app_server.store.backup.archive import FARTHEST_S, Member
from app_server.store.base import Store, Write
from app_server.store.errors import Taken

NO_LIMIT: Final = 2**50
"""How much a store may hold of one session, for a program that does not know what its server allows."""
_MORE: Final = 64 * 1024


def saved_members(store: Store, now_s: float) -> Iterator[Member]:
    """All that is saved and has not expired, while servers go on saving.

    Each session is as it was at one moment: a journal only grows, or is replaced in one step, and one that ends in the
    middle of a record reads as what came before.
    """
    for entry in store.entries():
        if entry.expires_s is not None and entry.expires_s <= now_s:
            continue
        if not entry.bookmark:
            if data := _journal(store, entry.key, entry.size_bytes):
                yield Member("session", entry.key, data, entry.saved_at_s)
        elif (found := store.get(entry.key, NO_LIMIT)) is not None and entry.expires_s is not None:
            yield Member("bookmark", entry.key, found, min(entry.expires_s, FARTHEST_S))


def _journal(store: Store, key: str, size_bytes: int) -> bytes:
    """A whole journal, which may have grown or been replaced since its size was known."""
    limit = size_bytes + _MORE
    while len(data := store.head(key, limit)) == limit:
        limit *= 2
    return data


@dataclass
class Restored:
    """What came of restoring sessions and bookmarks."""

    sessions: int = 0
    bookmarks: int = 0
    kept: int = 0
    """those that were there already, which stay as they are"""
    expired: int = 0

    def add(self, store: Store, member: Member, now_s: float) -> None:
        """Restore one. Raises Unavailable, Lost."""
        if member.kind == "bookmark":
            self._add_bookmark(store, member, now_s)
        elif _restore_session(store, member):
            self.sessions += 1
        else:
            self.kept += 1

    def _add_bookmark(self, store: Store, member: Member, now_s: float) -> None:
        if member.time_s <= now_s:
            self.expired += 1
        elif store.get(member.name, NO_LIMIT) is not None:
            self.kept += 1
        else:
            store.put(member.name, member.data, member.time_s - now_s)
            self.bookmarks += 1


def _restore_session(store: Store, member: Member) -> bool:
    """Save a session as it was, unless there is one; its time begins again."""
    if store.is_saved(member.name):
        return False
    try:
        claim = store.claim(member.name, create=True)
    except Taken:
        # A server has it, and has not saved it yet.
        return False
    assert claim is not None
    try:
        lost = store.write([Write(claim, member.data, replaces=True)])
    except BaseException:
        store.delete(claim)
        raise
    store.release(claim)
    return not lost
