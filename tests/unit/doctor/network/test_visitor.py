"""A visitor's requests."""

from __future__ import annotations

import asyncio

import pytest

from app_server.doctor.address import Target
from app_server.doctor.network.connection import Route
from app_server.doctor.network.visitor import Visitor
from tests.support.ports import free_port
from tests.unit.doctor.network.peers import ROUTE, SHORT, Peer, saying, silent, visit


def test_answer_has_status_headers_body_and_when_it_came() -> None:
    said = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"
    found = visit(saying(said), lambda visitor, target: visitor.ask(target))
    assert (found.status, found.header("server"), found.body, found.failure) == (200, "x", b"hello", None)
    assert 0 < found.arrivals[0] <= found.whole_s


def test_request_names_the_host_and_what_was_given() -> None:
    heads: list[bytes] = []

    async def answer(head: bytes, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        heads.append(head)
        outgoing.write(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\n\r\n")
        await outgoing.drain()

    async def twice(visitor: Visitor, target: Target) -> int:
        await visitor.ask(target, origin="https://o.test", headers={"X-A": "1"})
        await visitor.ask(target, method="HEAD")
        return target.port

    port = visit(answer, twice, Route("127.0.0.1", (("Authorization", "Basic x"),), 10.0))
    first, second = (head.decode().splitlines() for head in heads)
    assert first[0] == "GET /board HTTP/1.1" and second[0] == "HEAD /board HTTP/1.1"
    assert {f"Host: app.test:{port}", "Origin: https://o.test", "X-A: 1", "Authorization: Basic x"} <= set(first)
    assert "Cookie: a=b" in second and not any(line.startswith("Cookie") for line in first)
    assert not any(line.startswith(("Origin", "X-A")) for line in second)


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (saying(b""), "empty", ""),
        (saying(b"SSH-2.0-OpenSSH\r\n"), "malformed", ""),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"), "malformed", ""),
        (silent, "timeout", "no answer within 0.1 s"),
    ],
    ids=["nothing", "another protocol", "half", "silence"],
)
def test_what_is_no_answer_is_a_failure(answer: Peer, kind: str, text: str) -> None:
    found = visit(answer, lambda visitor, target: visitor.ask(target), SHORT if text else ROUTE)
    assert found.failure is not None
    assert found.failure.kind == kind
    assert not text or text in str(found.failure)


def test_nobody_listens() -> None:
    target = Target("http", "app.test", free_port(), "/")
    found = asyncio.run(Visitor(ROUTE).ask(target))
    assert (found.status, found.failure and found.failure.kind) == (0, "refused")


def test_plain_server_where_tls_is_expected_is_a_failure_of_tls() -> None:
    async def ask(visitor: Visitor, target: Target) -> str:
        found = await visitor.ask(Target("https", "app.test", target.port, "/"))
        return found.failure.kind if found.failure else ""

    async def plain(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        outgoing.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        outgoing.close()

    async def go() -> str:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            return await ask(Visitor(ROUTE), Target("http", "app.test", server.sockets[0].getsockname()[1], "/"))

    assert asyncio.run(go()) == "tls"


def test_nonsense_is_answered_by_whoever_is_first_in_line() -> None:
    said = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"
    found = visit(saying(said), lambda visitor, target: visitor.say_nonsense(target))
    assert (found.status, found.header("server")) == (400, "nginx")
