"""A client as its session sees it."""

from __future__ import annotations

import pytest

from app_server.session.connection import Connection


def test_new_client_has_asked_for_nothing_and_missed_nothing() -> None:
    client = Connection(7)
    assert (client.ident, client.remote, client.from_browser) == (7, "", False)
    assert (client.asked, client.maybe_cut_off, client.realigned) == (False, False, False)


def test_clients_are_told_apart_although_they_have_the_same_values() -> None:
    one, other = Connection(1, "192.0.2.1"), Connection(1, "192.0.2.1")
    assert one != other
    assert [one, other].index(other) == 1 and len({one, other}) == 2


def test_client_has_no_room_for_what_is_misspelt() -> None:
    with pytest.raises(AttributeError):
        Connection(1).askd = True  # type: ignore[attr-defined]
