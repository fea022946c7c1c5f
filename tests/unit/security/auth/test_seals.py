"""Values that travel through a browser come back as they were, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app_server.security.auth.seals import Seal

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
