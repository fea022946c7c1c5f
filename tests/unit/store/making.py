"""Sessions that are claimed and saved, in any store."""

from __future__ import annotations

from app_server.store.base import Claim, Store, Write, session_key

KEY = session_key("http://localhost/app", "session")
OTHER = session_key("http://localhost/app", "other")
TTL_S = 1000.0
LIMIT = 1_000_000


def claimed(store: Store, key: str = KEY) -> Claim:
    """A claim of this session."""
    claim = store.claim(key, create=True)
    assert claim is not None
    return claim


def saved(store: Store, data: bytes = b"journal", key: str = KEY) -> Claim:
    """A claim of this session, whose journal has these bytes."""
    claim = claimed(store, key)
    assert store.write([Write(claim, data, True)]) == []
    return claim
