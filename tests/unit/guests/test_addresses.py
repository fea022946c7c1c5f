"""What Panel's applications ask of their address; it takes no Panel."""

from __future__ import annotations

import pytest

from app_server.document.ids import ModelIds
from app_server.document.served import ServedDocument
from app_server.guests.addresses import location_of, place_of
from tests.unit.guests.making import context_of, request


@pytest.fixture
def document() -> ServedDocument:
    return ServedDocument(ModelIds("a session"))


@pytest.mark.parametrize(
    ("uri", "route", "expected"),
    [
        ("/app", "/app", ("/", "")),
        ("/app/", "/app", ("/", "..")),
        ("/", "/", ("/", "")),
        ("/prefix/app?x=1", "/app", ("/prefix/", "")),
        ("/prefix/", "/", ("/prefix/", "")),
        ("/deep/down/app/ws", "/app", ("/deep/down/", "")),
        ("/_i/one/prefix/a/b", "/a/b", ("/_i/one/prefix/", "..")),
        ("/prefix/users/ws", "/users/ws", ("/prefix/", "..")),
        ("/users/ws/ws", "/users/ws", ("/", "..")),
        ("/users/autoload.js/", "/users/autoload.js", ("/", "../..")),
        (
            "/app/autoload.js?bokeh-absolute-url=https://host/base/app&bokeh-autoload-element=x",
            "/app",
            ("/", "https://host/base"),
        ),
    ],
)
def test_place_is_that_of_the_page(uri: str, route: str, expected: tuple[str, str], document: ServedDocument) -> None:
    assert place_of(context_of(document, request(uri), route)) == expected


def test_place_without_a_request_is_the_root(document: ServedDocument) -> None:
    assert place_of(context_of(document, None)) == ("/", "")


def test_location_is_the_pages_although_the_socket_asked() -> None:
    assert location_of(request("/app/ws?a=1&b=%20")) == {
        "protocol": "http:",
        "hostname": "localhost",
        "port": "5006",
        "pathname": "/app",
        "search": "?a=1&b=%20",
        "href": "http://localhost:5006/app?a=1&b=%20",
    }


@pytest.mark.parametrize("asked", ["/users/ws", "/users/ws/ws", "/users/ws/autoload.js"])
def test_location_of_a_page_whose_name_is_the_sockets(asked: str) -> None:
    assert location_of(request(asked), "/users/ws")["pathname"] == "/users/ws"


def test_location_of_an_ipv6_address_is_found() -> None:
    location = location_of(request(host="[::1]:5006"))
    assert (location["hostname"], location["port"]) == ("::1", "5006")


def test_location_survives_a_host_that_is_none() -> None:
    assert location_of(request(host="localhost:many"))["port"] == ""
