"""A visitor's connections: one request, or one WebSocket, each on a connection of its own and within a time limit.

Whatever the other end does, a method returns: with an answer, or with the failure that came instead.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app_server.doctor import http
from app_server.doctor.address import Target
from app_server.doctor.evidence import Answer, Failure, Handshake
from app_server.doctor.frames import BadFrame, Frame, Messages, ServerFrames, masked
from app_server.protocol import codec, messages
from app_server.protocol.connection import NO_STATUS, FrameConnection, Frames
from app_server.protocol.doctor import HEADER, Sent
from app_server.protocol.websocket import CLOSE, PING, accept_key
from app_server.version import __version__

USER_AGENT: Final = f"app-server-doctor/{__version__}"

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
"""The largest file of BokehJS has 5 MB, a page that holds its document's data perhaps 20."""

FALSE_ADDRESS: Final = "192.0.2.66"
"""Of a network that is kept for documentation (RFC 5737): nobody can come from there."""

_TLS_KINDS: Final = {
    "TLSV1_UNRECOGNIZED_NAME": "tls-name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls-client",
}
"""Alerts that say more than that TLS failed (RFC 8446, section 6: 112 and 116), by OpenSSL's names for them."""

_READ_BYTES = 64 * 1024
_CLOSE_PATIENCE_S = 1.0
_NEXT_ADDRESS_AFTER_S = 0.25  # as browsers do it (RFC 8305, section 5)


@dataclass(frozen=True)
class Route:
    """How the doctor gets to the host: at this address rather than where its name leads, with these headers."""

    address: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 10.0


@dataclass(frozen=True)
class Visitor:
    """A browser of its own, with its cookies."""

    route: Route
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        target: Target,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        origin: str = "",
        extra_s: float = 0.0,
    ) -> Answer:
        """What comes of one request; `extra_s` is added to the time limit."""
        wanted = [*self._common(target, origin), ("Connection", "close"), *(headers or {}).items()]
        if not any(name == "Accept-Encoding" for name, _ in wanted):
            wanted.append(("Accept-Encoding", "identity"))
        reader = http.ResponseReader(method, MAX_BODY_BYTES)
        started = time.monotonic()
        times: list[float] = []
        first_s = 0.0

        async def exchange() -> None:
            nonlocal first_s
            async with connection(self.route, target) as (incoming, outgoing):
                outgoing.write(http.request(method, target.request_path, wanted))
                while not reader.done:
                    data = await incoming.read(_READ_BYTES)
                    now = time.monotonic() - started
                    if not data:
                        reader.end()
                    before = len(reader.body)
                    reader.feed(data)
                    if reader.head_done and not first_s:
                        first_s = now
                    if len(reader.body) > before:
                        times.append(now)

        failure = await _attempt(exchange, self.route.timeout_s + extra_s)
        body = http.decoded(bytes(reader.body), reader.header("content-encoding") or "", MAX_BODY_BYTES)
        answer = Answer(
            target, method, reader.status if reader.head_done else 0, reader.headers, body, failure,
            first_s, time.monotonic() - started, tuple(times[:1000]),
        )  # fmt: skip
        self._keep_cookies(answer)
        return answer

    async def say_nonsense(self, target: Target) -> Answer:
        """What comes of a request without a Host: the first in line answers that itself, and signs it."""
        reader = http.ResponseReader("GET", MAX_BODY_BYTES)

        async def exchange() -> None:
            async with connection(self.route, target) as (incoming, outgoing):
                outgoing.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
                while not reader.head_done and (data := await incoming.read(_READ_BYTES)):
                    reader.feed(data)

        failure = await _attempt(exchange, self.route.timeout_s)
        return Answer(target, status=reader.status, headers=reader.headers, failure=failure)

    def _common(self, target: Target, origin: str, address: str = "") -> list[tuple[str, str]]:
        sent = Sent(target.scheme, target.authority, target.path, origin, address or FALSE_ADDRESS)
        found = [("Host", target.authority), ("User-Agent", USER_AGENT), (HEADER, sent.statement())]
        if origin:
            found.append(("Origin", origin))
        if self.cookies:
            found.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        return [*found, *self.route.headers]

    def _keep_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name == "set-cookie" and len(self.cookies) < 50:
                key, equals, rest = value.partition(";")[0].partition("=")
                if equals and key.strip().isascii() and key.strip():
                    self.cookies[key.strip()] = rest.strip()[:4096]

    async def open_socket(
        self, target: Target, token: str, *, origin: str, then: Callable[[Socket], Any] | None = None
    ) -> Handshake:
        """Open a WebSocket and wait for the greeting; `then` is called with the greeted socket and awaited."""
        key = b64encode(os.urandom(16)).decode("ascii")
        wanted = [
            *self._common(target, origin),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Protocol", f"bokeh, {token}"),
        ]
        reader = http.ResponseReader("GET", MAX_BODY_BYTES)
        started = time.monotonic()
        found = Handshake(Answer(target))

        async def exchange() -> None:
            nonlocal found
            async with connection(self.route, target) as (incoming, outgoing):
                async with asyncio.timeout(self.route.timeout_s):
                    outgoing.write(http.request("GET", target.request_path, wanted))
                    while not reader.done:
                        data = await incoming.read(_READ_BYTES)
                        if not data:
                            reader.end()
                        reader.feed(data)
                    spent = time.monotonic() - started
                    answer = Answer(target, "GET", reader.status, reader.headers, bytes(reader.body), None, spent)
                    found = replace(found, answer=answer, whole_s=spent)
                    if reader.status != 101:
                        return
                    if reader.header("sec-websocket-accept") != accept_key(key):
                        raise http.Malformed("Sec-WebSocket-Accept is missing or wrong: no WebSocket answered")
                    found = replace(found, accepted=True)
                    opened = Socket(incoming, outgoing, reader.left_over)
                    greeting = await opened.receive()
                spent = time.monotonic() - started
                found = replace(
                    found, greeting=greeting, close_code=opened.close_code, close_reason=opened.close_reason,
                    whole_s=spent,
                )  # fmt: skip
                if found.greeted and then is not None:
                    await then(opened)
                await opened.goodbye()

        failure = await _attempt(exchange, None)
        if failure is not None and not found.accepted:
            status, headers = (reader.status, reader.headers) if reader.head_done else (0, ())
            found = replace(found, answer=Answer(target, "GET", status, headers, failure=failure))
        elif failure is not None and found.greeting is None and found.close_code is None:
            found = replace(found, failure=failure)
        return found if found.whole_s else replace(found, whole_s=time.monotonic() - started)


class Socket:
    """An open WebSocket that answers pings, as a browser does."""

    def __init__(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter, left_over: bytes) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._frames = ServerFrames()
        self._messages = Messages()
        self._connection = FrameConnection()
        self._waiting = self._frames.feed(left_over)
        self.pings = 0
        self.received_bytes = len(left_over)
        self.close_code: int | None = None
        self.close_reason = ""
        self.ended: str | None = None

    async def receive(self) -> str | None:
        """The type of the next message; None once the connection is over."""
        while self.ended is None:
            for frame in self._waiting:
                if frame.opcode >= CLOSE:
                    self._control(frame)
                    if self.ended is not None:
                        return None
                else:
                    msgtype = self._messages.feed(frame)
                    if msgtype is not None:
                        return msgtype
            try:
                data = await self._incoming.read(_READ_BYTES)
            except (OSError, ssl.SSLError) as error:
                self._end(_reason(error))
                return None
            if not data:
                self._end("the connection was closed without a Close frame")
            self.received_bytes += len(data)
            self._waiting = self._frames.feed(data)
        return None

    def _control(self, frame: Frame) -> None:
        self.pings += frame.opcode == PING
        self._send_all(self._connection.receive(frame.opcode, frame.payload))
        if frame.opcode == CLOSE:
            self.close_code, self.close_reason = frame.close_code or NO_STATUS, frame.text[:200]
            self._end("a Close frame came")

    def _end(self, why: str) -> None:
        self.ended = why

    def request(self, msgtype: str) -> None:
        """Send a message without content."""
        for opcode, payload in codec.encode(msgtype):
            self._send(opcode, bytes(payload))

    async def pull(self) -> int | None:
        """How many bytes it took until the document was there; None where it never was."""
        before = self.received_bytes
        self.request(messages.PULL_DOC_REQ)
        while (msgtype := await self.receive()) is not None:
            if msgtype == messages.PULL_DOC_REPLY:
                return self.received_bytes - before
        return None

    def _send(self, opcode: int, payload: bytes) -> None:
        self._outgoing.write(masked(opcode, payload, os.urandom(4)))

    def _send_all(self, frames: Frames) -> None:
        for opcode, payload in frames:
            self._send(opcode, payload)

    async def goodbye(self) -> None:
        """Close as a browser does, without waiting for long."""
        if self.ended is None:
            self._send_all(self._connection.close(1000))
        with suppress(TimeoutError, OSError, BadFrame):
            async with asyncio.timeout(_CLOSE_PATIENCE_S):
                while await self.receive() is not None:
                    pass


@asynccontextmanager
async def connection(
    route: Route, target: Target, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the host; over TLS, whose certificate is judged elsewhere, where the target says so."""
    tls: dict[str, Any] = {}
    if target.scheme == "https":
        tls = {"ssl": context or lenient_context(), "server_hostname": target.host}
    async with asyncio.timeout(route.timeout_s):
        incoming, outgoing = await asyncio.open_connection(
            route.address or target.host, target.port, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, **tls
        )
    try:
        yield incoming, outgoing
    finally:
        # Not closed politely: somebody who does not answer must not keep us.
        outgoing.transport.abort()


def lenient_context() -> ssl.SSLContext:
    """TLS with whoever is there: to see all that is wrong, the doctor goes on where a browser would stop."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _attempt(exchange: Callable[[], Any], timeout_s: float | None) -> Failure | None:
    """Why this did not come to its end; None where it did."""
    try:
        async with asyncio.timeout(timeout_s):
            await exchange()
    except (Exception, asyncio.IncompleteReadError) as error:
        return failure_of(error, timeout_s)
    return None


def failure_of(error: BaseException, timeout_s: float | None = None) -> Failure:
    """What this error of a connection means. An error that means nothing to us is raised again."""
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return Failure("timeout", f"no answer within {timeout_s:g} s" if timeout_s else "no answer in time")
    if isinstance(error, http.TooLarge):
        return Failure("large", str(error))
    if isinstance(error, http.NoAnswer):
        return Failure("empty", str(error))
    if isinstance(error, http.Malformed | BadFrame):
        return Failure("malformed", str(error))
    if isinstance(error, ssl.SSLError):
        return Failure(_TLS_KINDS.get(error.reason or "", "tls"), f"TLS failed: {_reason(error)}")
    if isinstance(error, socket.gaierror):
        return Failure("name", f"the name is not known: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return Failure("refused", "the connection was refused")
    if isinstance(error, ConnectionError):
        return Failure("closed", "the connection was cut")
    if isinstance(error, OSError):
        return Failure("unreachable", f"the host cannot be reached: {_reason(error)}")
    raise error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__
