"""What an application may say about the end of its session."""

from __future__ import annotations

from app_server.session.expiration import Expiring


def test_expiration_is_blocked_until_each_block_was_taken_back() -> None:
    session = Expiring(3.0)
    assert (session.unused_since_s, session.expiration_requested, session.expiration_blocked) == (3.0, False, False)
    session.block_expiration()
    session.block_expiration()
    session.unblock_expiration()
    assert session.expiration_blocked
    session.unblock_expiration()
    session.unblock_expiration()
    assert not session.expiration_blocked
    session.block_expiration()
    assert session.expiration_blocked, "what was taken back too often is not counted"


def test_expiration_can_be_requested() -> None:
    session = Expiring(0.0)
    session.request_expiration()
    assert session.expiration_requested
