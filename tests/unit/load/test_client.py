"""What the generator's browser asks for, and what it makes of answers that are none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import orjson
import pytest

from app_server.load import client
from app_server.load import site as sites
from app_server.load.client import Refused, cookies_of, open_page
from app_server.load.pages import Response
from app_server.load.person import kind_of, outline_of, text_of
from app_server.load.site import Site, get
from app_server.load.wire import Message


def reply(content: bytes) -> Message:
    return Message({"msgtype": "PULL-DOC-REPLY"}, content, (), 3, 0.0)


def test_cookies_of_a_login_and_of_a_page_are_one_header() -> None:
    site = Site("127.0.0.1", 5006, None, "app.invalid", "", (("Cookie", "user=ann"), ("X-Other", "1")))
    lines = site.request("/app", {"Cookie": "route=west"}).decode().split("\r\n")
    assert lines[:3] == ["GET /app HTTP/1.1", "Host: app.invalid", "X-Other: 1"]
    assert lines[3:] == ["Cookie: user=ann; route=west", "", ""]


def test_cookies_are_kept_without_their_attributes() -> None:
    response = Response(200, {}, b"", 0, ("route=west; Path=/; HttpOnly", "nonsense", "a=b"))
    assert cookies_of(response) == "route=west; a=b"


@pytest.fixture
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A server that answers everything with the fixture's parameter, and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(request.param)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield Site("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()


@pytest.mark.parametrize("site", [b"SSH-2.0-OpenSSH_9\r\n", b"", b"HTTP/1.1 abc\r\n\r\n"], indirect=True)
async def test_what_is_not_http_is_said_to_be_so(site: Site) -> None:
    with pytest.raises(ValueError, match="is not HTTP/1.1"):
        await get(site, "/")


@pytest.fixture
def full() -> Iterator[Site]:
    """A server whose queue of connections is full: the system answers no more of them."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield Site("127.0.0.1", listener.getsockname()[1])


async def test_server_that_takes_no_connection_is_not_waited_for_for_ever(
    full: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sites, client):
        monkeypatch.setattr(module, "REPLY_TIMEOUT_S", 0.05)
    with pytest.raises(TimeoutError):
        await get(full, "/")
    with pytest.raises(TimeoutError):
        await client.connect(full, "/ws", "token")


@pytest.mark.parametrize("site", [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000], indirect=True)
async def test_answer_without_an_end_is_not_read_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "MAX_RESPONSE_BYTES", 100)
    with pytest.raises(ValueError, match="the answer has more than 100 bytes"):
        await get(site, "/")


@pytest.mark.parametrize(
    "site", [b'HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n<script>"token":"T"</script>'], indirect=True
)
async def test_query_of_the_page_is_that_of_its_socket(site: Site) -> None:
    page = await open_page(site, "/app?region=north")
    assert (page.token, page.socket_path, page.cookies) == ("T", "/app/ws?region=north", "a=b")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"doc":7}', b'{"doc":{"roots":[{"id":"1","name":"x","attributes":7}]}}',
     b'{"doc":{"roots":' + b"[" * 800 + b"]" * 800 + b"}}"],
)  # fmt: skip
def test_document_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="the server's document cannot be read"):
        outline_of(reply(content))


def test_document_is_read() -> None:
    document = {"doc": {"roots": [{"type": "object", "name": "Slider", "id": "p1"}]}}
    assert [each.kind for each in outline_of(reply(orjson.dumps(document))).reachable()] == ["Slider"]


def test_faults_are_told_apart() -> None:
    refused = Refused("GET / answered 503", Response(503, {}, b"", 0))
    assert kind_of(refused) == ("page refused (503)", "GET / answered 503")
    assert kind_of(client.Closed("it answered 429", 429)) == ("socket refused (429)", "it answered 429")
    assert kind_of(client.Closed("gone")) == ("connection lost", "gone")
    assert kind_of(Refused("no token")) == ("not as expected", "no token")


@pytest.mark.parametrize(("content", "text"), [(b'{"text":"a\\n b"}', "a b"), (b"[]", ""), (b"nonsense", "")])
def test_text_of_an_error_is_one_line(content: bytes, text: str) -> None:
    assert text_of(reply(content)) == text
