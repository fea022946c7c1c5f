"""Tokens that name a session and its user, and nothing of the request."""

from __future__ import annotations

from app_server.security.tokens import Signer, is_owner_mark, mint_session_id, mint_token, owner_mark, read_token
from app_server.security.visible_request import RequestFilter

SIGNER = Signer(b"k" * 44, signed=True)


def test_token_without_a_payload_is_small_and_says_so() -> None:
    session_id = mint_session_id(SIGNER)
    text = mint_token(SIGNER, session_id, expires_at=1_800_000_000, owner=owner_mark(SIGNER, "ann"))
    token = read_token(SIGNER, text)
    assert len(text) < 400
    assert not token.carries_request
    assert token.payload == {"session_expiry": 1_800_000_000}
    assert read_token(SIGNER, mint_token(SIGNER, session_id, expires_at=1, payload={"headers": {}})).carries_request


def test_owner_is_told_apart_without_being_told() -> None:
    mark = owner_mark(SIGNER, "ann")
    assert mark == owner_mark(SIGNER, "ann")
    assert mark not in (owner_mark(SIGNER, "bob"), owner_mark(Signer(b"other"), "ann"))
    assert "ann" not in mark
    token = read_token(SIGNER, mint_token(SIGNER, mint_session_id(SIGNER), expires_at=1, owner=mark))
    assert token.owner == mark
    assert "owner" not in token.payload


def test_token_of_nobody_has_no_owner() -> None:
    assert read_token(SIGNER, mint_token(SIGNER, mint_session_id(SIGNER), expires_at=1)).owner is None


def test_hidden_headers_and_cookies_pass_no_filter() -> None:
    passed = RequestFilter(
        include_headers=["Authorization", "Cookie", "Host"],
        include_cookies=["login", "login_2", "flavour"],
        hidden_headers=["authorization"],
        hidden_cookies=["login"],
    )
    assert [passed.passes_header(name) for name in ("Authorization", "AUTHORIZATION", "Cookie", "host")] == [
        False, False, False, True,
    ]  # fmt: skip
    assert [passed.passes_cookie(name) for name in ("login", "login_2", "flavour")] == [False, False, True]


def test_mark_that_somebody_made_up_is_no_ones() -> None:
    for mark in ("\ud800", "é", "", "a" * 100_000):
        assert not is_owner_mark(SIGNER, "ann", mark)
