"""Hands a request that another process has to answer to that process, with its connection.

The request is written again, its body with a length in front, and put in front of the connection. The other process
then reads it as if it had come there: origin, login, proxy headers and session are looked at by the same code.

    kept-alive connection -> one request -> message -> one answer, or one WebSocket -> the connection is closed

What follows on the connection may be another person's, for a proxy shares its connections among all. Both ends see to
it that nothing but the one request is answered: the sender leaves the rest where it is, and the receiver closes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from asyncio import Future
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any, Final

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer, _HTTPRequestContext
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, SSLIOStream, UnsatisfiableReadError

from app_server.http.intake import LimitedHTTPServer, close_gently
from app_server.processes import ipc
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.worker_group import WorkerGroup
from app_server.protocol.handshake import fault_of
from app_server.websocket.take_over import take_over

log = logging.getLogger(__name__)

_RELAY_BYTES = 256 * 1024
_ATTEMPTS = 5
_READ_WITHIN_S = 5.0
"""How long the sender waits until a message is read; a process that is busy for longer reads it some time."""

_FRAMING = frozenset({"content-length", "transfer-encoding", "trailer", "te", "expect", "keep-alive"})
"""Headers that are about the body's way on one connection, or about what is done before it is sent."""

_FAMILIES: Final = {family.name: family for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)}


def opens_socket(request: HTTPServerRequest) -> bool:
    """Whether this request is a WebSocket handshake, behind which the connection belongs to its session."""
    return fault_of(request.method or "", request.version, request.headers) is None


def rewritten(request: HTTPServerRequest) -> bytes:
    """The request as it is to be read again: the same, but its body has a length, and the connection ends after it.

    A proxy may send the next request, of another person, on the same connection, and that one belongs elsewhere. The
    body has been read here, whatever its framing was: with the old one, the reader would wait for it again, and take
    what follows for it.
    """
    upgrade = opens_socket(request)
    dropped = _FRAMING if upgrade else _FRAMING | {"connection"}
    lines = [f"{request.method} {request.uri} {request.version}"]
    lines += [f"{name}: {value}" for name, value in request.headers.get_all() if name.lower() not in dropped]
    if not upgrade:
        lines.append("Connection: close")
    if request.body:
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


def user_of_message(request: HTTPServerRequest) -> Any:
    """Who sent this request, if the process that handed it over has found out; None otherwise, and the second time."""
    context: Any = getattr(request.connection, "context", None)
    user = getattr(context, "user", None)
    if user is not None:
        context.user = None
    return user


async def pass_on(
    request: HTTPServerRequest,
    workers: WorkerGroup,
    socket_path: Path,
    patience_s: float | None = None,
    user: Any = None,
) -> None:
    """Hand this request and its connection to the process at `socket_path`; Unreachable before anything was given away.

    Waits for a process that is not there, for `patience_s` or as long as the worker group does by default. `user` is
    who asks, if that is known and the other process is to believe it.
    """
    connection: Any = request.connection
    context, upgrade = connection.context, opens_socket(request)
    sock = await workers.reach(socket_path, patience_s)
    stream: IOStream = connection.detach()
    fields: dict[str, Any] = {
        "family": socket.AddressFamily(context.address_family).name,
        "address": list(context.address) if isinstance(context.address, tuple) else None,
        "scheme": "https" if isinstance(stream, SSLIOStream) else _original_scheme(context),
    }
    if user is not None:
        fields["user"] = user
    if isinstance(stream, SSLIOStream):
        await _pass_bytes(stream, sock, Message(fields, rewritten(request)), upgrade)
        return
    try:
        taken, left_over = take_over(stream)
    except OSError:  # StreamClosedError
        log.debug("A client went away before its request could be handed over")
        sock.close()
        return
    # What follows a handshake is the socket's. What follows another request is the next one, which is never answered:
    # the connection is closed, and who sent it sends it again on another one (RFC 9112, section 9.3.2).
    first = rewritten(request) + (left_over if upgrade else b"")
    with taken:
        await _pass_descriptor(sock, Message(fields, first, taken.fileno()), workers, socket_path, patience_s)


async def _pass_descriptor(
    sock: socket.socket, message: Message, workers: WorkerGroup, socket_path: Path, patience_s: float | None
) -> None:
    """Send a connection, and once more where the receiver ends before it has read the message.

    A slot has a new holder then. If the receiver holds no slot, its session has to be looked for again: this process
    sends the message to itself.
    """
    for _ in range(_ATTEMPTS):
        try:
            with sock:
                await ipc.send(sock, message)
                await ipc.read_by_peer(sock, _READ_WITHIN_S)
            return
        except Unreachable:
            try:
                sock = await workers.reach(
                    socket_path if workers.runtime_dir.is_slot(socket_path) else workers.socket_path, patience_s
                )
            except Unreachable:
                break
    sock.close()
    log.warning("A connection could not be handed over to %s, and is closed", socket_path.name)


async def _pass_bytes(stream: IOStream, sock: socket.socket, message: Message, upgrade: bool) -> None:
    try:
        await ipc.send(sock, message)
    except Unreachable as error:
        log.warning("A connection could not be handed over, and is closed: %s", error)
        sock.close()
        stream.close()
        return
    await (_relay(stream, IOStream(sock)) if upgrade else _relay_answer(stream, IOStream(sock)))


def portable(user: Any) -> Any:
    """This user as a message can carry it; None if it would arrive as another user."""
    try:
        return user if json.loads(json.dumps(user)) == user else None
    except (TypeError, ValueError):
        return None


def _original_scheme(context: Any) -> str:
    """How the connection itself came, whatever a proxy's header says: that header is read again."""
    return str(context._orig_protocol)


async def _relay(stream: IOStream, other: IOStream) -> None:
    """Carry bytes both ways until either end is closed: what TLS has encrypted cannot be read elsewhere."""
    there = asyncio.ensure_future(_carry(stream, other))
    back = asyncio.ensure_future(_carry(other, stream))
    await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
    there.cancel()
    back.cancel()
    stream.close()
    other.close()


async def _relay_answer(stream: IOStream, other: IOStream) -> None:
    """Carry one answer back; what the client sends meanwhile goes nowhere."""
    stream.set_close_callback(other.close)
    await _carry(other, stream)
    other.close()
    await close_gently(stream)


async def _carry(source: IOStream, target: IOStream) -> None:
    try:
        while True:
            await target.write(await source.read_bytes(_RELAY_BYTES, partial=True))
    except OSError:  # StreamClosedError too
        return


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

    def arrive(self, message: Message, sock: socket.socket) -> None:
        """Answer on the connection of this message: the descriptor in it, or the socket that brought it."""
        if message.descriptor is not None:
            sock.close()
            sock = socket.socket(fileno=message.descriptor)
        sock.setblocking(False)
        stream = ReplayedStream(sock, message.body)
        connection = _LastRequest(stream, self, _context(stream, message.fields, self))
        self._connections.add(connection)  # type: ignore[arg-type]


class _LastAnswer(HTTP1Connection):
    """The other end of a connection that ends with this answer, unless the answer makes it a WebSocket."""

    over = False
    """Whether the request is done with, and the connection still here."""

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Write the head of the answer, which says that it is the last one."""
        if not isinstance(start_line, ResponseStartLine) or start_line.code != 101:
            self._disconnect_on_finish = True
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

    def __init__(self, stream: IOStream, server: SharedHTTPServer, context: _HTTPRequestContext) -> None:
        self._stream = stream
        self._serving = asyncio.ensure_future(self._serve(server, context))

    async def _serve(self, server: SharedHTTPServer, context: _HTTPRequestContext) -> None:
        params = copy(server.conn_params)
        params.max_header_size *= 2  # what was short enough as it came may have become longer
        connection = _LastAnswer(self._stream, False, params, context)
        try:
            await connection.read_response(server.start_request(self, connection))
        except (OSError, UnsatisfiableReadError) as error:
            log.debug("A client went away, or its request is too long: %s", error)
        except Exception:
            log.exception("A request that was handed over could not be answered; this is a fault of the server")
        finally:
            # Who detached it has it now: a WebSocket, or yet another process.
            if connection.over or connection.stream is not None:
                await close_gently(self._stream)
            server.on_close(self)

    async def close(self) -> None:
        """Close the connection at once; return when nothing is left of it."""
        self._stream.close()
        with suppress(Exception):
            await self._serving


def _context(stream: IOStream, fields: Mapping[str, Any], server: HTTPServer) -> _HTTPRequestContext:
    """Who is at the other end of the connection, as the process saw it that took it."""
    address = fields["address"]
    context = _HTTPRequestContext(stream, tuple(address or ()), str(fields["scheme"]), server.trusted_downstream)
    context.address_family = _FAMILIES[fields["family"]]
    context.user = fields.get("user")  # type: ignore[attr-defined]
    if address and context.address_family != socket.AF_UNIX:
        context.remote_ip = context._orig_remote_ip = str(address[0])
    return context
