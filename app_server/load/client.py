"""The load generator's browser: pages over HTTP/1.1, sessions over raw asyncio protocols, one thread, no bokeh."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app_server.load.pages import Response, socket_path, token_of
from app_server.load.site import REPLY_TIMEOUT_S, Site, get, tls_options
from app_server.load.wire import CLOSE, FrameReader, Message, MessageReader, find_models, frame, message, set_value
from app_server.protocol.connection import ConnectionState, FrameConnection, Frames

ERROR_SHOWN = 500
COOKIES_KEPT = 50


class Closed(ConnectionError):
    """The server closed the WebSocket, or refused to open it; then `status` is that of its answer, else 0."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Refused(RuntimeError):
    """The server answered, but not as expected; `response` is its answer to the page's request, if it was that."""

    def __init__(self, text: str, response: Response | None = None) -> None:
        super().__init__(text)
        self.response = response


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
        self._status = 0

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
                self._status = int(head[9:12]) if head[9:12].isdigit() else 0
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

    def deliver_to(self, take: Callable[[Message], None]) -> None:
        """Give each message that comes from now on to this function."""
        self.on_message = take

    async def receive(self, kind: str | None = None) -> Message:
        """The next message, or the next of this kind, passing over others."""
        while True:
            while not self._inbox:
                if self.closed:
                    raise self.fault()
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            got = self._inbox.popleft()
            if got.kind == "ERROR":
                raise Refused(got.content.decode(errors="replace")[:ERROR_SHOWN])
            if kind is None or got.kind == kind:
                return got

    def fault(self) -> Closed:
        """Why there is nothing more to receive."""
        if self._status:
            return Closed(f"the server closed the connection: it answered {self._status}", self._status)
        code = self._connection.close_code
        why = "" if code is None else f": {code} {self._connection.close_reason[:ERROR_SHOWN]}".rstrip()
        return Closed(f"the server closed the connection{why}")

    def send(self, kind: str, content: bytes = b"{}") -> str:
        """Send one message in one write; its id, which the answer names."""
        self._sent += 1
        msgid = f"c{self._sent}"
        self._transport.write(message(kind, content, msgid))
        return msgid

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


@dataclass(frozen=True)
class Page:
    """A page as it was loaded: its session's token, its socket's path, and what to send with the socket's request."""

    token: str
    socket_path: str
    cookies: str = ""
    response: Response | None = None


async def open_page(site: Site, path: str, headers: Mapping[str, str] | None = None) -> Page:
    """The page of a new session. Refused if it is not the page of an application."""
    response = await get(site, path, headers)
    if response.status != 200:
        raise Refused(f"GET {path} answered {response.status}", response)
    page = response.text
    bare, _, query = path.partition("?")
    try:
        token = token_of(page)
    except ValueError as error:
        raise Refused(str(error), response) from None
    socket_at = socket_path(page, bare) + (f"?{query}" if query else "")
    return Page(token, socket_at, cookies_of(response), response)


def cookies_of(response: Response) -> str:
    """The value of the header Cookie that a browser sends after this response; "" for none."""
    pairs = [value.partition(";")[0].strip() for value in response.cookies[:COOKIES_KEPT]]
    return "; ".join(pair for pair in pairs if "=" in pair)


async def connect(site: Site, path: str, token: str, cookies: str = "") -> Connection:
    """A WebSocket for this token whose ACK has come."""
    key = base64.b64encode(os.urandom(16)).decode()
    more = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": f"bokeh, {token}",
        **({"Origin": site.origin} if site.origin else {}),
        **({"Cookie": cookies} if cookies else {}),
    }
    request = site.request(path, more)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(REPLY_TIMEOUT_S):
        made = loop.create_connection(lambda: Connection(request), site.host, site.port, **tls_options(site))
        _, connection = await made
    try:
        await asyncio.wait_for(connection.receive("ACK"), REPLY_TIMEOUT_S)
    except BaseException:
        connection.close()
        raise
    return connection


async def join(site: Site, path: str, token: str, cookies: str = "") -> Tab:
    """One more tab of a session that exists: socket, ACK, document pulled."""
    connection = await connect(site, path, token, cookies)
    try:
        connection.send("PULL-DOC-REQ")
        reply = await asyncio.wait_for(connection.receive("PULL-DOC-REPLY"), REPLY_TIMEOUT_S)
    except BaseException:
        connection.close()
        raise
    return Tab(connection, token, reply)


async def open_tab(site: Site, path: str) -> Tab:
    """A new session, as a browser opens it: page, socket, ACK, document pulled."""
    page = await open_page(site, path)
    return await join(site, page.socket_path, page.token, page.cookies)
