"""Names under which sessions and bookmarks are saved."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_server.errors import InternalError
from app_server.store.base import checked_key, checked_name, is_bookmark_name, session_key


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_key_is_64_hexadecimal_digits_whatever_the_id(application: str, session: str) -> None:
    key = session_key(application, session)
    assert checked_key(key) == key
    assert len(key) == 64 and set(key) <= set("0123456789abcdef")


def test_keys_differ_by_application_and_session() -> None:
    assert len({session_key(*names) for names in (("/a", "b"), ("/a", "c"), ("/ab", ""), ("/a", "\0b"))}) == 4
    assert session_key("/a", "\udcff") != session_key("/a", "\udcfe")


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_session_key_did_not_make_names_no_file(key: str) -> None:
    with pytest.raises(InternalError):
        checked_key(key)


@pytest.mark.parametrize("name", ["", "short", "../../../etc", "a" * 129, "with.dots.in.it", "12345678\n", "ä" * 8])
def test_odd_names_of_bookmarks_are_refused(name: str) -> None:
    assert not is_bookmark_name(name)
    with pytest.raises(InternalError):
        checked_name(name)


def test_names_of_bookmarks_are_those_of_token_urlsafe() -> None:
    assert checked_name("aZ09_-aZ") == "aZ09_-aZ"
