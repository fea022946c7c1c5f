"""One WebSocket to a server, message by message; everything here runs in one event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.netutil import Resolver
from tornado.simple_httpclient import HTTPTimeoutError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError, websocket_connect

from app_server.client.errors import CannotConnect, ConnectionLost, ProtocolViolation, Refused
from app_server.client.opening import Opening
from app_server.errors import PeerError
from app_server.protocol import messages
from app_server.protocol.codec import Frame
from app_server.protocol.messages import Message
from app_server.protocol.receiver import Receiver
from app_server.protocol.websocket import BINARY, TEXT

log = logging.getLogger(__name__)

_FLUSH_PATIENCE_S: Final = 10.0
"""How long queued messages have to leave when the connection is closed."""

_CLOSE_PATIENCE_S: Final = 2.0
"""How long the other end has to answer our Close frame."""

_LONGEST_REASON_BYTES: Final = 123  # RFC 6455, section 5.5: a control frame holds 125 bytes, two of them the code
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux alone has it

_MORE_VALUES = 4
"""A program pulls documents that applications have made, and blocks only itself; 20 MiB cannot hold more numbers."""

_HOUR_S: Final = 3600.0

_STATUS_HINTS: Final = {
    401: "The server requires a name and password, or another Authorization header.",
    403: "Where sessions are signed, this program needs the server's BOKEH_SECRET_KEY and BOKEH_SIGN_SESSIONS; where it"
    " sends an Origin header, the server must allow it by --allow-websocket-origin.",
    404: "Check the application's path; the server's own page lists its applications.",
    405: "Check the application's path; the server's own page lists its applications.",
    426: "A proxy in between does not forward WebSockets.",
    502: "The proxy at this address cannot reach a server.",
    503: "The server is starting, stopping or overloaded; try again in a moment.",
}
_REDIRECT_HINT = "The page may require a login, or have moved; pass the login's cookies, or give its new address."

_CLOSE_HINTS: Final = {
    1001: "The session has ended, or the server is going away.",
    1008: "The token was not accepted: is BOKEH_SECRET_KEY the server's, and are the clocks right?",
    1009: "A message was too large for the server; see its --websocket-max-message-size.",
    1011: "The application failed; see the server's log.",
    1012: "The server restarts; open the session again.",
}


class _UnixResolver(Resolver):
    """Resolves every host to one socket in the file system."""

    def initialize(self, path: str = "") -> None:
        self._path = path

    async def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> list[tuple[int, Any]]:
        """The one socket, for every name that is looked up."""
        return [(socket.AF_UNIX, self._path)]


class Link:
    """A connection that was greeted. `receive` must go on being called, also for `close` to end soon."""

    def __init__(self, connection: WebSocketClientConnection, opening: Opening) -> None:
        protocol = connection.protocol
        assert protocol is not None and protocol.stream is not None
        # A message has three frames or more; they need not wait for one another's acknowledgement.
        protocol.set_nodelay(opening.unix_socket is None)
        self._connection = connection
        self._stream = protocol.stream
        self.where = opening.address.page_url
        self._max_message_bytes = opening.max_message_bytes
        self._receiver = Receiver(opening.max_message_bytes, patience=_MORE_VALUES)
        self._outgoing: asyncio.Queue[Sequence[Frame] | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._writer = asyncio.create_task(self._write())

    @property
    def close_code(self) -> int | None:
        """The code of the other end's Close frame, once it has come."""
        return self._connection.close_code

    def send(self, frames: Sequence[Frame]) -> None:
        """Send a message after those that were given before; nothing happens where the connection has ended."""
        self._outgoing.put_nowait(frames)

    async def _write(self) -> None:
        try:
            while (frames := await self._outgoing.get()) is not None:
                for opcode, payload in frames:
                    await self._connection.write_message(bytes(payload), binary=opcode == BINARY)
        except (WebSocketClosedError, StreamClosedError):
            log.debug("%s: the connection ended before everything was sent", self.where)

    async def receive(self) -> Message:
        """The next message. Raises ConnectionLost at the connection's end, ProtocolViolation for what is no message."""
        while True:
            payload = await self._connection.read_message()
            if payload is None:
                self._ended.set()
                raise self._lost()
            try:
                if isinstance(payload, str):
                    message = self._receiver.feed(TEXT, payload.encode("utf-8"))
                else:
                    message = self._receiver.feed(BINARY, payload)
            except PeerError as error:
                self._connection.close(error.close_code, _reason(error.what))
                raise ProtocolViolation(f"the server broke the protocol: {error.what}", where=self.where) from error
            if message is not None:
                return message
            self._acknowledge()

    def _acknowledge(self) -> None:
        """Tell the server at once that a part of a message is here.

        The stock server does not send the next part before, and Linux waits 40 ms to join it with something to say.
        """
        sock = self._stream.socket
        if _QUICKACK is not None and sock is not None and sock.family != socket.AF_UNIX:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _lost(self) -> ConnectionLost:
        code, reason = self._connection.close_code, self._connection.close_reason
        if code is None:
            hint = (
                "The server, or a proxy in between, has gone away without a word; so would this end, had a message been"
                f" larger than its max_message_size of {self._max_message_bytes} bytes."
            )
            return ConnectionLost("the connection was lost", where=self.where, hint=hint)
        said = f"{code} {reason}" if reason else f"{code}"
        what = f"the server closed the connection ({said})"
        return ConnectionLost(what, close_code=code, where=self.where, hint=_CLOSE_HINTS.get(code))

    async def close(self, code: int = 1000, why: str = "closed") -> None:
        """Send what is to be sent, say goodbye, and end; the connection is gone afterwards."""
        self._outgoing.put_nowait(None)
        done, _ = await asyncio.wait([self._writer], timeout=_FLUSH_PATIENCE_S)
        if not done:
            self._writer.cancel()
        try:
            self._connection.close(code, _reason(why))
            async with asyncio.timeout(_CLOSE_PATIENCE_S):
                await self._ended.wait()
        except TimeoutError:
            log.debug("%s: no answer to the Close frame", self.where)
        finally:
            self._stream.close()

    async def hang_up(self, code: int = 1000, why: str = "closed") -> None:
        """As `close`, for one that calls `receive` no more; what still comes is dropped."""
        draining = asyncio.create_task(self._drained())
        try:
            await self.close(code, why)
        finally:
            draining.cancel()

    async def _drained(self) -> None:
        while await self._connection.read_message() is not None:
            continue
        self._ended.set()

    def abort(self) -> None:
        """End at once, without a word."""
        self._writer.cancel()
        self._connection.close()
        self._stream.close()


def _reason(text: str) -> str:
    return text.encode("utf-8")[:_LONGEST_REASON_BYTES].decode("utf-8", "ignore")


async def open_link(opening: Opening, now_s: float | None = None) -> Link:
    """A connection to the session, greeted by the server; CannotConnect or Refused says why there is none."""
    where = opening.address.page_url
    try:
        async with asyncio.timeout(opening.timeout_s):
            return await _greeted(Link(await _connect(opening, time.time() if now_s is None else now_s), opening))
    except TimeoutError:
        raise CannotConnect(
            f"no greeting within {opening.timeout_s:g} s",
            where=where,
            hint="Is this the address of a server for Bokeh applications? Where the application takes long to start,"
            " give a longer timeout_s.",
        ) from None


async def _greeted(link: Link) -> Link:
    try:
        message = await link.receive()
    except ConnectionLost as error:
        # The handshake was fine, so it is the token or the application: that is a refusal.
        raise Refused(error.what, close_code=error.close_code, where=error.where, hint=error.hint) from None
    except BaseException:
        link.abort()
        raise
    if message.msgtype != messages.ACK:
        link.abort()
        raise ProtocolViolation(f"the server began with {message.msgtype} rather than ACK", where=link.where)
    return link


async def _connect(opening: Opening, now_s: float) -> WebSocketClientConnection:
    where = opening.address.page_url
    patience_s = _HOUR_S if opening.timeout_s is None else opening.timeout_s
    resolver = None if opening.unix_socket is None else _UnixResolver(path=opening.unix_socket)
    try:
        request = HTTPRequest(
            opening.address.socket_url,
            headers=dict(opening.headers),
            ssl_options=opening.tls(),
            connect_timeout=patience_s,
            request_timeout=patience_s,
        )
        return await websocket_connect(
            request,
            subprotocols=["bokeh", opening.identity.token(now_s)],
            max_message_size=opening.max_message_bytes,
            resolver=resolver,
        )
    except HTTPTimeoutError:
        raise TimeoutError from None
    except HTTPClientError as error:
        hint = _REDIRECT_HINT if 300 <= error.code < 400 else _STATUS_HINTS.get(error.code)
        what = f"the server refused the session with {error.code} {error.message}"
        raise Refused(what, status=error.code, where=where, hint=hint) from error
    except ssl.SSLError as error:
        raise CannotConnect(
            f"TLS failed: {error.reason or error}",
            where=where,
            hint="Give verify= the file of the authority that signed the server's certificate.",
        ) from error
    except (OSError, StreamClosedError) as error:
        reason = error.real_error or error if isinstance(error, StreamClosedError) else error
        raise CannotConnect(
            f"no server answers: {reason}",
            where=opening.unix_socket or where,
            hint="Start one with `app-server serve`, or check the address.",
        ) from error
    except (WebSocketError, ValueError, AssertionError) as error:
        raise Refused(
            f"what answers is no server for Bokeh applications: {error}", where=where, hint="Check the address."
        ) from error
