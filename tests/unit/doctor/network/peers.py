"""Peers that answer what a test has them say, and a visitor who comes to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from app_server.doctor.address import Target
from app_server.doctor.network.connection import Route
from app_server.doctor.network.visitor import Visitor
from app_server.protocol import codec
from app_server.protocol.websocket import accept_key

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
