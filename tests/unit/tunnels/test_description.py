"""The ends of a tunnel, read from words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import OperatorError
from app_server.tunnels.description import TunnelEnd, read_place, read_places


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("host", TunnelEnd("host")),
        ("user@host", TunnelEnd("host", "user")),
        ("user@host:2222", TunnelEnd("host", "user", 2222)),
        ("10.0.0.1:22", TunnelEnd("10.0.0.1", None, 22)),
        ("me@2001:db8::1", TunnelEnd("2001:db8::1", "me")),
        ("me@[2001:db8::1]:24", TunnelEnd("2001:db8::1", "me", 24)),
    ],
)
def test_place_is_read_and_written(word: str, place: TunnelEnd) -> None:
    assert read_place(word, "HOST") == place
    assert str(place) == word


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("-oProxyCommand=sh", "HOST: '-oProxyCommand=sh' is not the name of a host. Write USER@HOST."),
        ("a b@host", "HOST: 'a b' is not the name of a user. Write USER@HOST."),
        ("-l@host", "HOST: '-l' is not the name of a user. Write USER@HOST."),
        ("host:0", "HOST: '0' is not a port. Ports are numbers from 1 to 65535."),
        ("host:", "HOST: '' is not a port. Ports are numbers from 1 to 65535."),
        ("user@", "HOST: '' is not the name of a host. Write USER@HOST."),
        ("a@b\nProxyCommand sh", "HOST: 'b\\nProxyCommand sh' is not the name of a host. Write USER@HOST."),
    ],
)
def test_what_is_no_place_is_refused(word: str, error: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_place(word, "HOST")
    assert str(caught.value) == error


@given(st.text())
def test_no_place_is_more_than_one_word_or_an_option(word: str) -> None:
    try:
        places = read_places([word], "--via")
    except OperatorError:
        return
    for place in places:
        assert not str(place).startswith("-") and len(str(place).split()) == 1
        assert not set(str(place)) & set("\"'\\;#%$`\0\n")
