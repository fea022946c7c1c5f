"""A visitor's single requests and sockets, against a peer that says what the test has it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from app_server.doctor.address import Target
from app_server.doctor.visit import Route, Socket, Visitor, failure_of
from app_server.protocol import codec
from app_server.protocol.websocket import accept_key
from tests.support.ports import free_port

T = TypeVar("T")
Peer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ROUTE = Route("127.0.0.1", timeout_s=10.0)
SHORT = Route("127.0.0.1", timeout_s=0.1)


@asynccontextmanager
async def peer(answer: Peer) -> AsyncIterator[Target]:
    """A target at which this answers each request, whose head it gets."""

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        try:
            await answer(await incoming.readuntil(b"\r\n\r\n"), incoming, outgoing)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            outgoing.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Target("http", "app.test", server.sockets[0].getsockname()[1], "/board")


def saying(text: bytes) -> Peer:
    """A peer that says this and closes the connection."""

    async def answer(head: bytes, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        outgoing.write(text)
        await outgoing.drain()

    return answer


async def silent(head: bytes, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
    await incoming.read()


def visit(answer: Peer, act: Callable[[Visitor, Target], Awaitable[T]], route: Route = ROUTE) -> T:
    """What comes of an act at this peer."""

    async def go() -> T:
        async with peer(answer) as target:
            return await act(Visitor(route), target)

    return asyncio.run(go())


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


def test_error_that_means_nothing_here_is_raised_again() -> None:
    with pytest.raises(KeyError):
        failure_of(KeyError("x"))


def test_failures_are_named() -> None:
    found = [failure_of(error, 3.0) for error in (TimeoutError(), ConnectionResetError(), OSError(113, "No route"))]
    assert [(each.kind, str(each)) for each in found if each is not None] == [
        ("timeout", "no answer within 3 s"),
        ("closed", "the connection was cut"),
        ("unreachable", "the host cannot be reached: No route"),
    ]


def frame(opcode: int, payload: bytes) -> bytes:
    """A frame of a server's: whole, and not masked."""
    length = bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def message(msgtype: str) -> bytes:
    """A message without content."""
    return b"".join(frame(opcode, bytes(payload)) for opcode, payload in codec.encode(msgtype))


def accepting(*then: bytes, accept: str | None = None) -> Peer:
    """A peer that accepts the socket, says these, and closes the connection."""

    async def answer(head: bytes, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        key = next(line for line in head.decode().splitlines() if line.startswith("Sec-WebSocket-Key")).split(": ")[1]
        outgoing.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + (accept or accept_key(key)).encode() + b"\r\n\r\n" + b"".join(then)
        )
        await outgoing.drain()

    return answer


async def open_socket(visitor: Visitor, target: Target) -> object:
    return await visitor.open_socket(target, "token", origin="http://app.test")


def test_socket_is_greeted_and_what_follows_is_done_with_it() -> None:
    seen: list[object] = []

    async def act(visitor: Visitor, target: Target) -> object:
        async def then(opened: Socket) -> None:
            seen.append(await opened.pull())
            seen.extend([await opened.receive(), opened.ended, opened.close_code, opened.close_reason, opened.pings])

        return await visitor.open_socket(target, "token", origin="", then=then)

    bye = (1001).to_bytes(2, "big") + b"going"
    said = [message("ACK"), frame(9, b"ping"), message("PULL-DOC-REPLY"), frame(8, bye)]
    found = visit(accepting(*said), act)
    assert found.greeted and found.accepted  # type: ignore[attr-defined]
    # None of it had come after the request that it answers.
    assert isinstance(seen[0], int)
    assert seen[1:] == [None, "a Close frame came", 1001, "going", 1]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "403"),
        (accepting(frame(8, (4000).to_bytes(2, "big") + b"no")), "accepted, then closed with 4000 no"),
        (accepting(message("ERROR")), "accepted, then ERROR"),
        (accepting(bytes([0x8F, 0])), "a frame begins with 8f00"),
        (accepting(accept="wrong"), "Sec-WebSocket-Accept is missing or wrong: no WebSocket answered"),
        (accepting(), "accepted, then None"),
    ],
    ids=["refused", "closed", "another greeting", "no frame", "no websocket", "cut"],
)
def test_socket_that_is_not_greeted_says_what_came(answer: Peer, told: str) -> None:
    found = visit(answer, open_socket)
    assert told in found.told and not found.greeted  # type: ignore[attr-defined]


def test_document_that_never_comes_is_none() -> None:
    seen: list[object] = []

    async def act(visitor: Visitor, target: Target) -> object:
        async def then(opened: Socket) -> None:
            seen.extend([await opened.pull(), opened.ended])

        return await visitor.open_socket(target, "token", origin="", then=then)

    visit(accepting(message("ACK"), message("PATCH-DOC")), act)
    assert seen[0] is None and seen[1]
