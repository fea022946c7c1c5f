"""Values that travel through a browser come back as they were, or not at all."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.security.auth.signed_cookie import LONGEST_SEALED, Seal

SEAL = Seal("login", "secret")


def test_sealed_value_comes_back_until_it_is_too_old() -> None:
    sealed = SEAL.seal({"user": "ann"}, expires_at=100)
    assert SEAL.open(sealed, 99.9) == {"user": "ann", "exp": 100}
    assert SEAL.open(sealed, 100) is None


def test_seal_of_another_purpose_or_secret_opens_nothing() -> None:
    sealed = SEAL.seal({"user": "ann"}, expires_at=100)
    assert Seal("form", "secret").open(sealed, 0) is None
    assert Seal("login", "other").open(sealed, 0) is None


def test_secret_is_not_shown() -> None:
    assert "secret" not in repr(SEAL)


def test_bomb_is_cut_short() -> None:
    assert SEAL.open(SEAL.seal({"user": "a" * 1_000_000}, expires_at=100), 0) is None


@given(st.text(max_size=300), st.text(max_size=60))
def test_whatever_comes_in_is_no_seal_of_ours(body: str, tag: str) -> None:
    assert SEAL.open(body, 0) is None
    assert SEAL.open(f"{body}.{tag}", 0) is None


@given(st.integers(0, 80), st.characters(codec="ascii"))
def test_changed_seal_is_not_opened(place: int, letter: str) -> None:
    sealed = SEAL.seal({"user": "ann"}, expires_at=100)
    changed = sealed[:place] + letter + sealed[place + 1 :]
    assert changed == sealed or SEAL.open(changed, 0) is None


def test_nothing_is_no_seal() -> None:
    assert SEAL.open(None, 0) is None
    assert SEAL.open("", 0) is None


@given(st.text(max_size=90))
def test_value_of_any_length_comes_back(text: str) -> None:
    assert SEAL.open(SEAL.seal({"text": text}, expires_at=100), 0) == {"text": text, "exp": 100}


def forged(packed: bytes) -> str:
    """What only the holder of the secret can make."""
    body = urlsafe_b64encode(packed).rstrip(b"=").decode()
    return f"{body}.{SEAL.tag(body)}"


@pytest.mark.parametrize(
    "packed",
    [b"", b"no zlib", zlib.compress(b"no json"), zlib.compress(b"[1]"), zlib.compress(b"{}"), zlib.compress(b'"exp"'),
     zlib.compress(b'{"exp": "9"}'), zlib.compress(b'{"exp": 9.5}'), zlib.compress(b'{"exp": null}'),
     zlib.compress(b"\xff")],
)  # fmt: skip
def test_sealed_value_that_is_not_dated_json_is_none(packed: bytes) -> None:
    assert SEAL.open(forged(packed), 0) is None


def test_body_that_is_no_base64_is_none() -> None:
    assert SEAL.open(f"a.{SEAL.tag('a')}", 0) is None


@pytest.mark.parametrize(("length", "read"), [(2 * LONGEST_SEALED, True), (2 * LONGEST_SEALED + 2, False)])
def test_text_is_read_up_to_twice_the_size_of_a_cookie(length: int, read: bool) -> None:
    body = forged(zlib.compress(b'{"exp":9}')).partition(".")[0]
    body += "A" * (length - len(body) - 44)  # behind the end of what was compressed
    text = f"{body}.{SEAL.tag(body)}"
    assert len(text) == length
    assert SEAL.open(text, 0) == ({"exp": 9} if read else None)


def test_value_may_unpack_to_64_kilobytes() -> None:
    assert SEAL.open(forged(zlib.compress(b" " * (65_536 - 9) + b'{"exp":9}')), 0) == {"exp": 9}
    assert SEAL.open(forged(zlib.compress(b" " * (65_537 - 9) + b'{"exp":9}')), 0) is None


def test_tag_depends_on_purpose_and_text() -> None:
    assert SEAL.tag("a") == Seal("login", "secret").tag("a")
    assert len({SEAL.tag("a"), SEAL.tag("b"), Seal("form", "secret").tag("a"), Seal("login", "b").tag("a")}) == 4
    assert len(SEAL.tag("a")) == 43 and SEAL.tag("\ud800")


def test_date_of_a_value_is_the_seals_own() -> None:
    assert SEAL.open(SEAL.seal({"exp": 10**9, "user": "ann"}, expires_at=100), 100) is None


def test_value_comes_back_whatever_its_text_ends_with() -> None:
    for number in range(300):
        assert SEAL.open(SEAL.seal({"n": number}, expires_at=100), 0) == {"n": number, "exp": 100}


@pytest.mark.parametrize("text", ["a.\ud800", "\ud800.a", "\ud800", "ä.ä"])
def test_text_that_no_header_carries_is_no_seal(text: str) -> None:
    assert SEAL.open(text, 0) is None
