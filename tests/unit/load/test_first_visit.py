"""Why no load is put on an address."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from app_server.errors import OperatorError
from app_server.load.client import Refused
from app_server.load.first_visit import Seen, first_visit, refusal, seen, unreachable
from app_server.load.outline import Outline
from app_server.load.pages import Response
from app_server.load.person import Visit
from app_server.load.site import Site

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
        (
            str(unreachable(ConnectionResetError(104, "Connection reset by peer"), URL)),
            "cannot be reached: Connection reset by peer. With TLS, the address begins with https://.",
        ),
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


PAGE = b'HTTP/1.1 200 OK\r\nApp-Server-Load-Tests: allowed\r\n\r\n<script>"token":"T"</script>'


@pytest.fixture
async def visit(request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """A visit to a server that answers requests of its socket with the fixture's parameter; with None, no request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if request.param is None:
            await reader.read()
        else:
            writer.write(request.param if b"Upgrade" in head else PAGE)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield Visit(Site("127.0.0.1", server.sockets[0].getsockname()[1]), "/app")
    server.close()


@pytest.mark.parametrize(
    ("visit", "expected"),
    [
        (None, "no answer within 0.2 s. Give a longer --timeout if the application takes long to start."),
        (b"HTTP/1.1 403 No\r\n\r\n", "the page opens, but not its WebSocket: the server closed the connection: it "
         "answered 403. The server does not accept this address as an origin: see --allow-websocket-origin."),
        (b"HTTP/1.1 404 No\r\n\r\n", "the page opens, but not its WebSocket: the server closed the connection: it "
         "answered 404. Does the proxy in front pass WebSockets on?"),
        (b"HTTP/1.1 101 Yes\r\n\r\n\x88\x06\x03\xf0boom", "the page opens, but not its WebSocket: the server closed "
         "the connection: 1008 boom. See the server's log."),
        (b"", "the page opens, but not its WebSocket: the server closed the connection. See the server's log."),
    ],
    indirect=["visit"],
)  # fmt: skip
async def test_what_comes_instead_of_a_session_is_stated(visit: Visit, expected: str) -> None:
    with pytest.raises(OperatorError) as caught:
        await first_visit(visit, URL, is_mine=False, timeout_s=0.2 if "0.2" in expected else 10)
    assert str(caught.value) == f"{URL}: {expected}"
