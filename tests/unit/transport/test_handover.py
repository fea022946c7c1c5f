"""Connections that other processes hand over, as the process sees them that gets them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from tornado.web import Application, RequestHandler

from app_server.fleet.crew import Crew
from app_server.fleet.letters import Letter
from app_server.fleet.place import Place
from app_server.transport.handover import SharedHTTPServer, pass_on, user_of_letter

WORDS = {"family": "AF_INET", "address": ["192.0.2.1", 4242], "scheme": "http", "user": "alice"}


class Whose(RequestHandler):
    """Answers who has sent the request."""

    def get(self) -> None:
        """The address, and the user as they are known at first and the second time."""
        self.finish(f"{self.request.remote_ip} {user_of_letter(self.request)} {user_of_letter(self.request)}\n")


class Elsewhere(RequestHandler):
    """Hands each request over to the process behind a box, as one does that is replaced."""

    def initialize(self, crew: Crew, box: Path) -> None:
        """Called by Tornado."""
        self.crew, self.box = crew, box

    async def get(self) -> None:
        """Hand over."""
        self._finished = True
        await pass_on(self.request, self.crew, self.box)


@asynccontextmanager
async def member(folder: Path, slot: int, server: SharedHTTPServer) -> AsyncIterator[Crew]:
    """A process of a server, which answers on the connections that it gets."""
    crew = Crew(Place(folder), slot, 2, lambda session_id: False, server.arrive)
    await crew.open()
    yield crew
    await crew.close()
    await server.close_all_connections()


async def answers(first: bytes, more: bytes = b"", server: SharedHTTPServer | None = None) -> bytes:
    """All that is answered on a connection that was handed over with these bytes, and brings more of them."""
    server = server or SharedHTTPServer(Application([("/.*", Whose)]))
    ours, theirs = socket.socketpair()
    with closing(ours):
        ours.setblocking(False)
        ours.send(more) if more else None
        server.arrive(Letter(WORDS, first), theirs)
        found, loop = b"", asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while part := await loop.sock_recv(ours, 65536):
                found += part
    await server.close_all_connections()
    return found


@pytest.mark.parametrize("connection", ["keep-alive", "upgrade", "Upgrade, keep-alive", "close"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_one_request_is_answered_whatever_the_head_says(connection: str, version: str) -> None:
    request = f"GET / {version}\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode()
    for found in (await answers(request + request), await answers(request, more=request * 2)):
        assert found.count(b"HTTP/1.1 200") == 1
        assert found.endswith(b"\r\n\r\n192.0.2.1 alice None\n")
        assert b"Connection: close" in found or version == "HTTP/1.0"


async def test_a_large_rest_does_not_cost_the_answer() -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert (await answers(request, more=b"x" * 100_000)).endswith(b"192.0.2.1 alice None\n")


@pytest.mark.parametrize(
    "first", [b"\x00\x01\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: y\r\n\r\n"]
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(first: bytes) -> None:
    assert (await answers(first + b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@asynccontextmanager
async def passing_on(folder: Path) -> AsyncIterator[SharedHTTPServer]:
    """A process that hands all over to another one."""
    last = SharedHTTPServer(Application([("/.*", Whose)]))
    async with member(folder, 1, last) as crew:
        yield SharedHTTPServer(Application([("/.*", Elsewhere, {"crew": crew, "box": crew.box})]))


@pytest.mark.parametrize("connection", ["keep-alive", "upgrade", "close"])
async def test_a_request_that_is_handed_over_twice_is_answered_alone(connection: str, tmp_path: Path) -> None:
    request = f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Length: 3\r\n\r\nGET".encode()
    async with passing_on(tmp_path) as server:
        for found in (await answers(request * 2, b"", server), await answers(request, request * 2, server)):
            assert found.count(b"HTTP/1.1 200") == 1
            assert found.endswith(b"\r\n\r\n192.0.2.1 None None\n")  # the next process asks for itself who it is


async def test_a_head_of_the_largest_size_is_answered_when_it_was_handed_over(tmp_path: Path) -> None:
    lines = b"".join(b"a%d:b\r\n" % number for number in range(7000))
    request = b"GET / HTTP/1.1\r\nHost:x\r\n" + lines
    request += b"X:" + b"y" * (65536 - len(request) - 6) + b"\r\n\r\n"
    async with passing_on(tmp_path) as server:
        assert (await answers(request, b"", server)).endswith(b"192.0.2.1 None None\n")
