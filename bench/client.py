"""The load-generating client: pages over HTTP/1.1, sessions over raw asyncio protocols, one thread, no bokeh."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from app_server.protocol.connection import ConnectionState, FrameConnection, Frames
from bench.pages import Response, parse_response, socket_path, token_of
from bench.wire import CLOSE, FrameReader, Message, MessageReader, find_models, frame, message, set_value

HOST = "127.0.0.1"
REPLY_TIMEOUT_S = 60.0
ERROR_SHOWN = 500


class Closed(ConnectionError):
    """The server closed the WebSocket, or refused to open it."""


class Refused(RuntimeError):
    """The server answered, but not as expected."""


async def get(
    port: int, path: str, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> Response:
    """The response to one GET on a connection of its own."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}:{port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    reader, writer = await asyncio.open_connection(HOST, port, ssl=tls)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        raw = await asyncio.wait_for(reader.read(-1), REPLY_TIMEOUT_S)
    finally:
        writer.close()
    return parse_response(raw)


class Connection(asyncio.Protocol):
    """One WebSocket of a session. Messages go to `on_message` if that is set, and else wait for `receive`."""

    def __init__(self, request: bytes) -> None:
        self.on_message: Callable[[Message], None] | None = None
        self.closed = False
        self._request = request
        self._handshake: bytes | None = b""
        self._frames = FrameReader()
        self._connection = FrameConnection()
        self._messages = MessageReader()
        self._inbox: deque[Message] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade at once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read frames; the time of arrival is that of the bytes, not that of the coroutine that wakes up."""
        arrived_s = time.monotonic()
        if self._handshake is not None:
            self._handshake += data
            head, found, data = self._handshake.partition(b"\r\n\r\n")
            if not found:
                return
            self._handshake = None
            if not head.startswith(b"HTTP/1.1 101"):
                self._transport.close()
                return
        for opcode, payload in self._frames.feed(data):
            if opcode >= CLOSE:
                self._control(opcode, payload)
            elif (whole := self._messages.feed(payload, arrived_s)) is not None:
                self._deliver(whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake anyone who waits; there will be no more."""
        self.closed = True
        self._wake()

    async def receive(self, kind: str | None = None) -> Message:
        """The next message, or the next of this kind, passing over others."""
        while True:
            while not self._inbox:
                if self.closed:
                    raise Closed("the server closed the connection")
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            got = self._inbox.popleft()
            if got.kind == "ERROR":
                raise Refused(got.content.decode(errors="replace")[:ERROR_SHOWN])
            if kind is None or got.kind == kind:
                return got

    def send(self, kind: str, content: bytes = b"{}") -> None:
        """Send one message in one write."""
        self._sent += 1
        self._transport.write(message(kind, content, f"c{self._sent}"))

    def close(self) -> None:
        """Leave with a close frame, as a tab that is closed."""
        if not self.closed:
            self._write(self._connection.close(1001))
            self._transport.close()

    def _control(self, opcode: int, payload: bytes) -> None:
        self._write(self._connection.receive(opcode, payload))
        if self._connection.state is ConnectionState.CLOSED:
            self._transport.close()

    def _write(self, frames: Frames) -> None:
        for opcode, payload in frames:
            self._transport.write(frame(opcode, payload, os.urandom(4)))

    def _deliver(self, whole: Message) -> None:
        if self.on_message is not None:
            self.on_message(whole)
            return
        self._inbox.append(whole)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass(frozen=True)
class Tab:
    """A page that is open: its connection, its token and the document as it was pulled."""

    connection: Connection
    token: str
    reply: Message

    def models(self, name: str) -> list[str]:
        """The ids of the document's models of this class."""
        return find_models(json.loads(self.reply.content), name)

    async def round_trip(self, model_id: str, value: float) -> float:
        """Seconds from sending a value to the whole of the server's PATCH-DOC; returns after its OK."""
        sent_s = time.monotonic()
        patched_s = None
        self.connection.send("PATCH-DOC", set_value(model_id, value))
        while (got := await self.connection.receive()).kind != "OK":
            if got.kind == "PATCH-DOC":
                patched_s = got.arrived_s
        if patched_s is None:
            raise Refused("the server answered OK without a change of its own")
        return patched_s - sent_s


async def open_page(port: int, path: str, tls: ssl.SSLContext | None = None) -> tuple[str, str]:
    """The token and the WebSocket's path of a new session."""
    response = await get(port, path, tls=tls)
    if response.status != 200:
        raise Refused(f"GET {path} answered {response.status}")
    page = response.body.decode()
    return token_of(page), socket_path(page, path)


async def connect(port: int, path: str, token: str, tls: ssl.SSLContext | None = None) -> Connection:
    """A WebSocket for this token whose ACK has come."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: bokeh, {token}\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(request), HOST, port, ssl=tls)
    await asyncio.wait_for(connection.receive("ACK"), REPLY_TIMEOUT_S)
    return connection


async def join(port: int, path: str, token: str, tls: ssl.SSLContext | None = None) -> Tab:
    """One more tab of a session that exists: socket, ACK, document pulled."""
    connection = await connect(port, path, token, tls)
    connection.send("PULL-DOC-REQ")
    reply = await asyncio.wait_for(connection.receive("PULL-DOC-REPLY"), REPLY_TIMEOUT_S)
    return Tab(connection, token, reply)


async def open_tab(port: int, path: str, tls: ssl.SSLContext | None = None) -> Tab:
    """A new session, as a browser opens it: page, socket, ACK, document pulled."""
    token, socket_at = await open_page(port, path, tls)
    return await join(port, socket_at, token, tls)
