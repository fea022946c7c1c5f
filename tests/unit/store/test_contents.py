"""Whose a saved session is, without claiming it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.store.base import Write, session_key
from app_server.store.contents import opened_of
from app_server.store.errors import TooLarge, Unreadable
from app_server.store.folder import FolderStore
from app_server.store.journal import HEADER_BYTES, JournalWriter
from app_server.store.keys import Keys
from app_server.store.records import Kind, Record

KEY = session_key("/app", "one")
KEYS = Keys((b"secret",))


def saved(store: FolderStore, data: bytes) -> None:
    claim = store.claim(KEY, create=True)
    assert claim is not None and store.write([Write(claim, data, True)]) == []


@pytest.mark.parametrize("user", ["ann", "x" * 100_000])
def test_first_record_is_read_while_its_owner_goes_on(tmp_path: Path, user: str) -> None:
    store = FolderStore(str(tmp_path), ttl_s=1000, max_bytes=10**9)
    assert opened_of(store, KEY, KEYS) is None
    writer = JournalWriter(KEYS)
    saved(store, writer.begin() + writer.write(Record(Kind.OPEN, {"user": user})) + writer.write(Record(Kind.WHOLE)))
    assert opened_of(store, KEY, KEYS) == {"user": user}
    with pytest.raises(Unreadable):
        opened_of(store, KEY, Keys((b"another",)))
    store.close()


def test_what_is_damaged_or_far_too_large_is_not_read(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path), ttl_s=1000, max_bytes=10**9)
    begin = JournalWriter(KEYS).begin()
    assert len(begin) == HEADER_BYTES
    saved(store, begin + b"\xff\xff\xff\xff")
    with pytest.raises(TooLarge):
        opened_of(store, KEY, KEYS)
    store.close()
