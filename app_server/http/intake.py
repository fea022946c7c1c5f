"""Limits on what a client may send and how long it may take, in addition to Tornado's.

A connection leaves these limits when it is detached from Tornado: as a WebSocket, or to another process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError

from app_server.errors import LONGEST_SHOWN, in_one_line
from app_server.http.accepting import Acceptor
from app_server.page import error_page
from app_server.protocol.forwarded import client_address, client_scheme
from app_server.protocol.pace import Pace, PaceVerdict, Phase, Progress

log = logging.getLogger(__name__)

_LINGER_S: Final = 2.0
"""How long further data of a client is discarded after its last answer, while the client reads the answer."""

_DISCARD_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Intake:
    """The limits of one server.

    `largest_body` says how many bytes the body of this request may have; None leaves it to Tornado. `answered` is
    called with the status of each answer that no handler gives.
    """

    pace: Pace
    largest_body: Callable[[HTTPServerRequest], int | None]
    answered: Callable[[int], None]


UNLIMITED: Final = Intake(Pace(0, 0), lambda request: None, lambda status: None)


class LimitedHTTPServer(HTTPServer):
    """Tornado's server, with limits in time and size. `watch` has to run for those in time."""

    def initialize(self, *args: Any, intake: Intake = UNLIMITED, **kwargs: Any) -> None:
        """Called by Tornado with what the constructor gets."""
        # Tornado's own adapter takes an address with a port, as some proxies send it, for none.
        super().initialize(*args, **{**kwargs, "xheaders": False})
        self._trusting = bool(kwargs.get("xheaders"))
        self.conn_params.header_timeout = None  # `watch` tells slow heads from idle connections
        self._intake = intake
        self._exchanges: dict[object, _Exchange] = {}
        self._refusals: set[asyncio.Task[None]] = set()
        self._acceptors: list[Acceptor] = []

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept the connections of these sockets, as long as there are descriptors."""
        for sock in sockets:
            self._sockets[sock.fileno()] = sock
            acceptor = Acceptor(sock, self._handle_connection)
            self._acceptors.append(acceptor)
            self._handlers[sock.fileno()] = acceptor.stop

    def finish(self, *, take_waiting: bool) -> None:
        """Accept no more connections; with `take_waiting` those that have come by now, as no other process would."""
        for acceptor in self._acceptors if take_waiting else ():
            acceptor.take_waiting()
        self.stop()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Called by Tornado when it begins to wait for a request."""
        inner = super().start_request(server_conn, request_conn)
        if not isinstance(request_conn, HTTP1Connection):
            return inner
        if self._trusting:
            inner = _Forwarded(inner, request_conn.context)
        phase = Phase.KEPT if server_conn in self._exchanges else Phase.OPENED
        exchange = self._exchanges[server_conn] = _Exchange(inner, request_conn, phase, self._intake, self._refuse)
        return exchange

    def on_close(self, server_conn: object) -> None:
        """Called by Tornado when a connection has ended, or is no longer its own."""
        self._exchanges.pop(server_conn, None)
        super().on_close(server_conn)

    def _refuse(self, stream: IOStream) -> None:
        task = asyncio.ensure_future(_refuse(stream))
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)

    async def watch(self) -> None:
        """Close connections that take too long; runs forever."""
        pace = self._intake.pace
        while True:
            await asyncio.sleep(pace.look_every_s)
            now_s = time.monotonic()
            for exchange in list(self._exchanges.values()):
                if exchange.open:
                    exchange.carry_out(pace.judge(exchange.progress(now_s), now_s))


class _Forwarded(HTTPMessageDelegate):
    """A request from a proxy: its client is the one that the headers name."""

    def __init__(self, inner: HTTPMessageDelegate, context: Any) -> None:
        self._inner = inner
        self._context = context

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Make the request; the next one on this connection may be another client's."""
        context = self._context
        before = context.remote_ip, context.protocol
        context.remote_ip = client_address(headers) or context.remote_ip
        context.protocol = client_scheme(headers) or context.protocol
        try:
            return self._inner.headers_received(start_line, headers)
        finally:
            context.remote_ip, context.protocol = before

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a part of the body on."""
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        """Pass on that the request is complete."""
        self._inner.finish()

    def on_connection_close(self) -> None:
        """Pass on that it never will be."""
        self._inner.on_connection_close()


class _Exchange(HTTPMessageDelegate):
    """One request and its answer, on their way through Tornado."""

    def __init__(
        self,
        inner: HTTPMessageDelegate,
        connection: HTTP1Connection,
        phase: Phase,
        intake: Intake,
        refuse: Callable[[IOStream], None],
    ) -> None:
        self._inner = inner
        self._connection = connection
        self._intake = intake
        self._refuse = refuse
        self._phase = phase
        self._since_s = time.monotonic()
        self._begun_s: float | None = None
        self._stalled: tuple[int, float] | None = None
        self._body_bytes = 0
        self._largest: int | None = None
        self._about = ""
        self._refused = False

    @property
    def open(self) -> bool:
        """Whether the connection is still Tornado's."""
        stream: IOStream | None = self._connection.stream
        return stream is not None and not stream.closed()

    def progress(self, now_s: float) -> Progress:
        """How far the connection is, as it is seen now."""
        stream = self._connection.stream
        if self._begun_s is None and stream._read_buffer_size > 0:
            self._begun_s = now_s
        sent = stream._total_write_done_index
        if not stream.writing():
            self._stalled = None
        elif self._stalled is None or self._stalled[0] != sent:
            self._stalled = sent, now_s
        stalled_s = None if self._stalled is None else self._stalled[1]
        return Progress(self._phase, self._since_s, self._begun_s, self._body_bytes, stalled_s)

    def carry_out(self, verdict: PaceVerdict) -> None:
        """End the connection, if that is the verdict."""
        if verdict is PaceVerdict.GOES_ON:
            return
        stream = self._connection.stream
        log.debug("Closing a connection: the client took too long (%s)", self._phase.name.lower())
        if verdict is PaceVerdict.TIMEOUT and not self._refused:
            stream.write(_answer(408, "The request did not come in time"))
            self._intake.answered(408)
        stream.close()

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is complete: refuse a body that is too large before it comes."""
        self._phase, self._since_s = Phase.BODY, time.monotonic()
        assert isinstance(start_line, RequestStartLine)
        length = headers.get("Content-Length", "0")
        if length != "0" or "Transfer-Encoding" in headers:
            self._largest = self._limit(start_line, headers)
            self._about = in_one_line(f"{start_line.method} {start_line.path.partition('?')[0]}", LONGEST_SHOWN)
            if self._largest is not None and _is_larger(length, self._largest):
                self._report_too_large()
                self._refuse(self._connection.detach())
                return None
        return self._inner.headers_received(start_line, headers)

    def _limit(self, start_line: RequestStartLine, headers: HTTPHeaders) -> int | None:
        try:
            request = HTTPServerRequest(connection=self._connection, start_line=start_line, headers=headers)
        except HTTPInputError:
            return None  # which Tornado answers
        return self._intake.largest_body(request)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A part of the body; without Content-Length, only the parts say how large it is."""
        self._body_bytes += len(chunk)
        if self._refused:
            return None
        if self._largest is not None and self._body_bytes > self._largest:
            self._refused = True
            self._report_too_large()
            self._inner.on_connection_close()
            stream = self._connection.stream
            asyncio.get_running_loop().call_later(_LINGER_S, stream.close)
            return _say_too_large(stream)
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        """The request is complete."""
        self._phase, self._since_s = Phase.ANSWER, time.monotonic()
        if self._refused:
            self._connection.stream.close()
        else:
            self._inner.finish()

    def on_connection_close(self) -> None:
        """The connection ended before the request was complete."""
        if not self._refused:
            self._inner.on_connection_close()

    def _report_too_large(self) -> None:
        self._intake.answered(413)
        log.warning("413 %s: a body may have %d bytes there", self._about, self._largest)


async def close_gently(stream: IOStream) -> None:
    """Close a connection whose last answer is written, but not before the client can have read it.

    Closing at once what holds unread bytes resets the connection, and the reset overtakes the answer: "the server
    continues to read from the connection until it receives a corresponding close by the client, or until the server is
    reasonably certain that its own TCP stack has received the client's acknowledgement" (RFC 9112, section 9.6).
    """
    if stream.closed() or stream.reading():
        stream.close()
        return
    try:
        async with asyncio.timeout(_LINGER_S):
            stream.socket.shutdown(socket.SHUT_WR)
            while True:
                await stream.read_bytes(_DISCARD_BYTES, partial=True)
    except OSError:  # the client has closed it, or the time is up
        pass
    finally:
        stream.close()


def _is_larger(length: str, limit: int) -> bool:
    """Whether a Content-Length is a number above the limit. Python refuses to read one of more than 4300 digits."""
    digits = length.lstrip("0")
    if not (length.isascii() and length.isdigit()):
        return False
    return len(digits) > len(str(limit)) or int(digits or "0") > limit


async def _refuse(stream: IOStream) -> None:
    """Answer 413 and close the connection; the client can read the answer, whatever it still sends."""
    try:
        async with asyncio.timeout(_LINGER_S):
            await _say_too_large(stream)
    except TimeoutError:
        stream.close()
    await close_gently(stream)


async def _say_too_large(stream: IOStream) -> None:
    """Answer 413, and let the client see that nothing else comes."""
    try:
        await stream.write(_answer(413, "The request is too large"))
        stream.socket.shutdown(socket.SHUT_WR)
    except (StreamClosedError, OSError):
        stream.close()


def _answer(status: int, headline: str) -> bytes:
    """A whole answer; the connection ends with it."""
    body = error_page(status, headline, "").encode("utf-8")
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: app-server\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
