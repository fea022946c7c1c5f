"""Answers a request that another process has handed over with its connection; see `socket_handoff`, the sender."""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio import Future
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from typing import Any, Final

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpserver import HTTPServer, _HTTPRequestContext
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, UnsatisfiableReadError

from app_server import system
from app_server.http.intake import LimitedHTTPServer, close_gently
from app_server.processes import ipc
from app_server.processes.ipc import Message

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How many processes may end, one after another, before they have read a request; then it is refused."""

_FAMILIES: Final = {
    name: getattr(socket, name) for name in ("AF_INET", "AF_INET6", "AF_UNIX") if hasattr(socket, name)
}


def user_of_message(request: HTTPServerRequest) -> Any:
    """Who sent this request, if the process that handed it over has found out; None otherwise, and the second time."""
    context: Any = getattr(request.connection, "context", None)
    user = getattr(context, "user", None)
    if user is not None:
        context.user = None
    return user


def is_given_up(request: HTTPServerRequest) -> bool:
    """Whether this request came back from the processes that were to answer it, and is to be refused."""
    return lost(getattr(request.connection, "context", None)) >= ATTEMPTS


def lost(context: Any) -> int:
    """How many processes have ended before they read this request."""
    return int(getattr(context, "lost", 0))


class ReplayedStream(IOStream):
    """A connection whose first bytes another reader has taken, and that are put back in front."""

    def __init__(self, sock: socket.socket, first: bytes) -> None:
        self._first = memoryview(first)
        super().__init__(sock)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """What was read before, then what the connection brings."""
        if self._first:
            size = min(len(buf), len(self._first))
            buf[:size] = self._first[:size]
            self._first = self._first[size:]
            return size
        return super().read_from_fd(buf)


class SharedHTTPServer(LimitedHTTPServer):
    """Tornado's server, which also answers on connections that other processes hand over."""

    @property
    def connected(self) -> bool:
        """Whether a connection is open on which a request may come, or has come."""
        return bool(self._connections)

    def arrive(self, message: Message, sock: socket.socket) -> None:
        """Answer on the connection of this message: the descriptor in it, or the socket that brought it."""
        report = _Report()
        if message.descriptor is not None:
            report = _Report(sock, awaited=bool(message.fields.get("awaits")))
            sock = socket.socket(fileno=message.descriptor)
        sock.setblocking(False)
        stream = ReplayedStream(sock, message.body)
        connection = _LastRequest(stream, self, _context(stream, message.fields, self), report)
        self._connections.add(connection)  # type: ignore[arg-type]


class _Report:
    """The socket that has brought a request; if it is awaited, its sender waits there until the answer begins."""

    def __init__(self, sock: socket.socket | None = None, *, awaited: bool = False) -> None:
        self._sock = sock if awaited else None
        if sock is not None and not awaited:
            sock.close()

    def taken(self) -> None:
        """Let the sender know, once, that it need not answer the request itself."""
        if self._sock is not None:
            ipc.report_answer(self._sock)
        self.left()

    def left(self) -> None:
        """Leave the request to its sender, unless it was taken."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class _LastAnswer(HTTP1Connection):
    """The other end of a connection that ends with this answer, unless the answer makes it a WebSocket."""

    over = False
    """Whether the request is done with, and the connection still here."""

    def __init__(
        self, stream: IOStream, params: HTTP1ConnectionParameters, context: _HTTPRequestContext, report: _Report
    ) -> None:
        super().__init__(stream, False, params, context)
        self._report = report

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Write the head of the answer, which says that it is the last one."""
        if not isinstance(start_line, ResponseStartLine) or start_line.code != 101:
            self._disconnect_on_finish = True
        self._report.taken()
        return super().write_headers(start_line, headers, chunk)

    def close(self) -> None:
        """Be done with the request; `_LastRequest` closes the connection."""
        if not self._read_finished:
            super().close()
        elif self.stream is not None:
            self.over = True
            self.detach()


class _LastRequest:
    """Serves one request of a connection and closes it, whatever follows: that may be another person's."""

    def __init__(
        self, stream: IOStream, server: SharedHTTPServer, context: _HTTPRequestContext, report: _Report
    ) -> None:
        self._stream = stream
        self._report = report
        self._serving = asyncio.ensure_future(self._serve(server, context))

    async def _serve(self, server: SharedHTTPServer, context: _HTTPRequestContext) -> None:
        params = copy(server.conn_params)
        params.max_header_size *= 2  # what was short enough as it came may have become longer
        connection = _LastAnswer(self._stream, params, context, self._report)
        try:
            await connection.read_response(server.start_request(self, connection))
            self._report.taken()
        except (OSError, UnsatisfiableReadError) as error:
            log.debug("A client went away, or its request is too long: %s", error)
            self._report.taken()
        except Exception:
            log.exception("A request that was handed over could not be answered; this is a fault of the server")
        finally:
            self._report.left()
            # Who detached it has it now: a WebSocket, or yet another process.
            if connection.over or connection.stream is not None:
                await close_gently(self._stream)
            server.on_close(self)

    async def close(self) -> None:
        """Close the connection at once; return when nothing is left of it."""
        self._report.left()
        self._stream.close()
        with suppress(Exception):
            await self._serving


def _context(stream: IOStream, fields: Mapping[str, Any], server: HTTPServer) -> _HTTPRequestContext:
    """Who is at the other end of the connection, as the process saw it that took it."""
    address = fields["address"]
    context = _HTTPRequestContext(stream, tuple(address or ()), str(fields["scheme"]), server.trusted_downstream)
    context.address_family = _FAMILIES[fields["family"]]
    context.user = fields.get("user")  # type: ignore[attr-defined]
    context.lost = int(fields.get("lost", 0))  # type: ignore[attr-defined]
    if address and context.address_family != system.UNIX_FAMILY:
        context.remote_ip = context._orig_remote_ip = str(address[0])
    return context
