"""Why no load is put on an address."""

from __future__ import annotations

import socket
import ssl

import pytest

from app_server.load.client import Refused
from app_server.load.first_visit import Seen, refusal, seen, unreachable
from app_server.load.outline import Outline
from app_server.load.pages import Response

URL = "http://localhost:5006/app"


def refused(status: int, body: bytes = b"", **headers: str) -> str:
    return str(refusal(Refused("no", Response(status, headers, body, 0)), URL))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            refused(302, location="/login?next=secret"),
            "redirects to http://localhost:5006/login. Give that address. If",
        ),
        (refused(401), "answered with status 401. Log in: give --header-file, with a line such as"),
        (refused(404), "answered with status 404. Is this the address that people open, with the application's path?"),
        (refused(418), "answered with status 418"),
        (refused(429), "answered with status 429. A rate limit has refused the first visit already: wait, or raise"),
        (refused(500), "answered with status 500. See the server's log."),
        (refused(503), "answered with status 503. The server is full, stopping or restarting: try again later."),
        (refused(200), "this is not the page of a Bokeh application. Give the address of an application, such as"),
        (
            refused(200, b'<input type="password">'),
            "this is not the page of a Bokeh application. It seems to be a login",
        ),
        (str(unreachable(ConnectionRefusedError(), URL)), "cannot be reached: the connection was refused"),
        (str(unreachable(socket.gaierror(-2, "Name unknown"), URL)), "cannot be reached: Name unknown"),
        (str(unreachable(ssl.SSLError(1, "wrong version"), URL)), "TLS failed: "),
        (str(unreachable(ValueError("not\x1b[31m HTTP"), URL)), "not as expected: not\\x1b[31m HTTP"),
        (str(unreachable(TimeoutError(), URL)), "no answer in time"),
    ],
)
def test_reason_is_stated(found: str, expected: str) -> None:
    assert found.startswith(f"{URL}: {expected}"), found


def test_widgets_are_counted_by_class() -> None:
    def model(kind: str, ident: str) -> dict[str, str]:
        return {"type": "object", "name": kind, "id": ident}

    kinds = ("Slider", "Slider", "TextInput", "FileInput", "Div")
    outline = Outline({"roots": [model(kind, str(number)) for number, kind in enumerate(kinds)]})
    assert seen(outline) == Seen({"Slider": 2, "TextInput": 1}, {"FileInput": 1})
