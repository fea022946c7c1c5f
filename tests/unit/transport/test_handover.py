"""Connections that other processes hand over, as the process sees them that gets them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest
from tornado.web import Application, RequestHandler

from app_server.fleet.letters import Letter
from app_server.transport.handover import SharedHTTPServer, user_of_letter

WORDS = {"family": "AF_INET", "address": ["192.0.2.1", 4242], "scheme": "http", "user": "alice"}


class Whose(RequestHandler):
    """Answers who has sent the request."""

    def get(self) -> None:
        """The address, and the user as they are known at first and the second time."""
        self.finish(f"{self.request.remote_ip} {user_of_letter(self.request)} {user_of_letter(self.request)}\n")


async def answers(first: bytes, more: bytes = b"") -> bytes:
    """All that is answered on a connection that was handed over with these bytes, and brings more of them."""
    server = SharedHTTPServer(Application([("/.*", Whose)]))
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
