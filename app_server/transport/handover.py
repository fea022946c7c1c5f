"""A request that another process has to answer is handed over with its connection, and answered there as any other.

The request's head is written anew and put in front of the connection, so that the other process reads it as if it had
come there: origin, login, proxy headers and session are looked at by the same code. Only requests without a body are
handed over, which is all that name a session.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer, _HTTPRequestContext
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from app_server.fleet import letters
from app_server.fleet.crew import Crew
from app_server.fleet.letters import Letter, Unreachable
from app_server.transport.wire import take_over

log = logging.getLogger(__name__)

_RELAY_BYTES = 256 * 1024
_ATTEMPTS = 5
_READ_WITHIN_S = 5.0
"""How long it is watched whether a letter is read; what is busy for longer reads it some time."""

_FAMILIES: Final = {family.name: family for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)}


def head_of(request: HTTPServerRequest) -> bytes:
    """The request's head as it is to be read again: the same, but the connection ends with its answer.

    A proxy may send the next request, of somebody else, on the same connection, and that one belongs elsewhere.
    """
    lines = [f"{request.method} {request.uri} {request.version}"]
    upgrade = "upgrade" in request.headers.get("Connection", "").lower()
    lines += [
        f"{name}: {value}" for name, value in request.headers.get_all() if upgrade or name.lower() != "connection"
    ]
    if not upgrade:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def pass_on(
    request: HTTPServerRequest, crew: Crew, box: Path, patience_s: float | None = None, user: Any = None
) -> None:
    """Hand this request and its connection to the process behind `box`; Unreachable before anything was given away.

    A process that is not there is waited for, as long as the crew does by itself or for `patience_s`. `user` is who
    asks, where that is known and the other process is to believe it.
    """
    connection: Any = request.connection
    context = connection.context
    sock = await crew.reach(box, patience_s)
    stream: IOStream = connection.detach()
    if stream.closed():
        sock.close()
        return
    words: dict[str, Any] = {
        "family": socket.AddressFamily(context.address_family).name,
        "address": list(context.address) if isinstance(context.address, tuple) else None,
        "scheme": "https" if isinstance(stream, SSLIOStream) else _original_scheme(context),
    }
    if user is not None:
        words["user"] = user
    if isinstance(stream, SSLIOStream):
        await _pass_bytes(stream, sock, Letter(words, head_of(request)))
        return
    taken, left_over = take_over(stream)
    with taken:
        await _pass_descriptor(sock, Letter(words, head_of(request) + left_over, taken.fileno()), crew, box, patience_s)


async def _pass_descriptor(
    sock: socket.socket, letter: Letter, crew: Crew, box: Path, patience_s: float | None
) -> None:
    """Send a connection, and once more where the receiver ends before it has read the letter.

    A slot has a new holder then; whoever is no holder has a connection of a session that is to be looked for again,
    which this process does when it reads its own letter.
    """
    for _ in range(_ATTEMPTS):
        try:
            with sock:
                await letters.send(sock, letter)
                await letters.read_by_peer(sock, _READ_WITHIN_S)
            return
        except Unreachable:
            try:
                sock = await crew.reach(box if crew.place.is_slot(box) else crew.box, patience_s)
            except Unreachable:
                break
    log.warning("A connection could not be handed over to %s, and is closed", box.name)


async def _pass_bytes(stream: IOStream, sock: socket.socket, letter: Letter) -> None:
    try:
        await letters.send(sock, letter)
    except Unreachable as error:
        log.warning("A connection could not be handed over, and is closed: %s", error)
        sock.close()
        stream.close()
        return
    await _relay(stream, sock)


def portable(user: Any) -> Any:
    """This user as a letter can carry it; None where it would arrive as somebody else."""
    try:
        return user if json.loads(json.dumps(user)) == user else None
    except (TypeError, ValueError):
        return None


def _original_scheme(context: Any) -> str:
    """How the connection itself came, whatever a proxy's header says: that header is read again."""
    return str(context._orig_protocol)


async def _relay(stream: IOStream, sock: socket.socket) -> None:
    """Carry bytes both ways until either end is closed: what TLS has encrypted cannot be read elsewhere."""
    other = IOStream(sock)
    there = asyncio.ensure_future(_carry(stream, other))
    back = asyncio.ensure_future(_carry(other, stream))
    await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
    there.cancel()
    back.cancel()
    stream.close()
    other.close()


async def _carry(source: IOStream, target: IOStream) -> None:
    try:
        while True:
            await target.write(await source.read_bytes(_RELAY_BYTES, partial=True))
    except StreamClosedError:
        return


class ReplayedStream(IOStream):
    """A connection in front of which bytes have been put that somebody else had read from it."""

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


class SharedHTTPServer(HTTPServer):
    """Tornado's server, which also answers on connections that other processes hand over."""

    def arrive(self, letter: Letter, sock: socket.socket) -> None:
        """Answer on the connection of this letter: the descriptor in it, or the socket that brought it."""
        if letter.descriptor is not None:
            sock.close()
            sock = socket.socket(fileno=letter.descriptor)
        sock.setblocking(False)
        stream = ReplayedStream(sock, letter.blob)
        context = _context(stream, letter.words, self)
        connection = HTTP1ServerConnection(stream, self.conn_params, context)
        self._connections.add(connection)
        connection.start_serving(self)


def _context(stream: IOStream, words: Mapping[str, Any], server: HTTPServer) -> _HTTPRequestContext:
    """Who is at the other end of the connection, as the process saw it that took it."""
    address = words["address"]
    context = _HTTPRequestContext(stream, tuple(address or ()), str(words["scheme"]), server.trusted_downstream)
    context.address_family = _FAMILIES[words["family"]]
    context.user = words.get("user")  # type: ignore[attr-defined]
    if address and context.address_family != socket.AF_UNIX:
        context.remote_ip = context._orig_remote_ip = str(address[0])
    return context
