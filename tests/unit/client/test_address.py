"""From the address of an application to that of its socket."""

from __future__ import annotations

import pytest

from app_server.client.address import parse_address
from app_server.client.errors import ClientError


@pytest.mark.parametrize(
    ("url", "page", "socket"),
    [
        ("http://localhost:5006", "http://localhost:5006/", "ws://localhost:5006/ws"),
        ("http://localhost:5006/", "http://localhost:5006/", "ws://localhost:5006/ws"),
        ("http://localhost:5006/sliders", "http://localhost:5006/sliders", "ws://localhost:5006/sliders/ws"),
        ("https://site.example/a/b/", "https://site.example/a/b/", "wss://site.example/a/b/ws"),
        ("ws://localhost:5006/sliders/ws", "http://localhost:5006/sliders/", "ws://localhost:5006/sliders/ws"),
        ("wss://site.example/ws", "https://site.example/", "wss://site.example/ws"),
        ("http://[::1]:5006/a", "http://[::1]:5006/a", "ws://[::1]:5006/a/ws"),
        ("http://localhost/ws", "http://localhost/ws", "ws://localhost/ws/ws"),
        ("http://localhost/a?x=1#part", "http://localhost/a", "ws://localhost/a/ws?x=1"),
    ],
)
def test_page_and_socket_of_an_address(url: str, page: str, socket: str) -> None:
    address = parse_address(url)
    assert (address.page_url, address.socket_url) == (page, socket)


def test_arguments_follow_those_of_the_address() -> None:
    address = parse_address("http://localhost/a?x=1&empty=", {"y": "a b&c", "z": ["ä", b"\xff"]})
    assert address.socket_url == "ws://localhost/a/ws?x=1&empty=&y=a+b%26c&z=%C3%A4&z=%FF"


def test_name_and_password_become_a_header_and_stay_out_of_the_addresses() -> None:
    address = parse_address("https://ada:l%40ce@site.example/a")
    assert (address.page_url, address.socket_url) == ("https://site.example/a", "wss://site.example/a/ws")
    assert address.authorization == "Basic YWRhOmxAY2U="


def test_page_of_a_session_has_its_id_quoted() -> None:
    assert parse_address("http://h/a").session_page("a/b c") == "http://h/a?bokeh-session-id=a%2Fb%20c"


@pytest.mark.parametrize(
    "url", ["", "localhost:5006", "ftp://a:secret@host/", "http://", "http://h:port/", "http://[::1"]
)
def test_what_is_no_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ClientError) as refused:
        parse_address(url)
    assert str(refused.value) == (
        f"{url.replace('ftp://a:secret@', '')!r}: this is not the address of an application."
        " Give the address of an application, such as http://localhost:5006/sliders."
    )
