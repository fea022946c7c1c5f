"""Hands a request that another process has to answer to that process, with its connection.

The request is written again, its body with a length in front, and put in front of the connection. The other process
then reads it as if it had come there: origin, login, proxy headers and session are looked at by the same code.

    kept-alive connection -> one request -> message -> one answer, or one WebSocket -> the connection is closed

What follows on the connection may be another person's, for a proxy shares its connections among all. Both ends see to
it that nothing but the one request is answered: the sender leaves the rest where it is, and the receiver closes.

The process of a session can be ended before it answers, as by one of its limits. So the sender keeps the connection,
too, until the answer begins (the field `awaits`). If none does, it hands the request to itself and refuses it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream, SSLIOStream

from app_server.http.intake import close_gently
from app_server.processes import ipc
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.worker_group import WorkerGroup
from app_server.protocol.handshake import fault_of
from app_server.requests.dispatch.arriving import ATTEMPTS, is_given_up, lost
from app_server.websocket.take_over import take_over

log = logging.getLogger(__name__)

_RELAY_BYTES = 256 * 1024
_READ_WITHIN_S = 5.0
"""How long the sender waits until a message is read; a process that is busy for longer reads it some time."""

_FRAMING = frozenset({"content-length", "transfer-encoding", "trailer", "te", "expect", "keep-alive"})
"""Headers that are about the body's way on one connection, or about what is done before it is sent."""


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


async def pass_on(
    request: HTTPServerRequest,
    workers: WorkerGroup,
    socket_path: Path,
    patience_s: float | None = None,
    user: Any = None,
    *,
    awaits: bool = False,
) -> None:
    """Hand this request and its connection to the process at `socket_path`; Unreachable before anything was given away.

    Waits for a process that is not there, for `patience_s` or as long as the worker group does by default. `user` is
    who asks, if that is known and the other process is to believe it. With `awaits` this returns when the answer
    begins, and refuses the request if the other process ends before.
    """
    if is_given_up(request):
        raise Unreachable("the processes that were to answer have ended")
    connection: Any = request.connection
    context, upgrade = connection.context, opens_socket(request)
    sock = await workers.reach(socket_path, patience_s)
    stream: IOStream = connection.detach()
    fields: dict[str, Any] = {
        "family": socket.AddressFamily(context.address_family).name,
        "address": list(context.address) if isinstance(context.address, tuple) else None,
        "scheme": "https" if isinstance(stream, SSLIOStream) else _original_scheme(context),
        "lost": lost(context),
        "awaits": awaits,
    }
    if user is not None:
        fields["user"] = user
    if isinstance(stream, SSLIOStream):
        await _pass_bytes(stream, sock, Message(fields, rewritten(request)), upgrade, workers)
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
    """Send a connection, and once more where the receiver ends before it has read the message, or answered.

    A slot has a new holder then. If the receiver holds no slot, its session has to be looked for again: this process
    sends the message to itself. It does so, too, with a request that it is to refuse.
    """
    is_slot = workers.runtime_dir.is_slot(socket_path)
    for _ in range(ATTEMPTS + 1):
        try:
            if await _has_taken(sock, message):
                return
            message = _after(message, ATTEMPTS)
        except Unreachable:
            message = _after(message, 1)
        refused = message.fields["lost"] >= ATTEMPTS
        try:
            receiver = socket_path if is_slot and not refused else workers.socket_path
            sock = await workers.reach(receiver, 0 if refused else patience_s)
        except Unreachable:
            break
    sock.close()
    log.warning("A connection could not be handed over to %s, and is closed", socket_path.name)


async def _has_taken(sock: socket.socket, message: Message) -> bool:
    """Whether the process that was sent this message has the request now, or ended after it had read it.

    Unreachable if it ended before.
    """
    with sock:
        try:
            await ipc.send(sock, message)
            if message.fields["awaits"]:
                return await ipc.answered(sock)
            await ipc.read_by_peer(sock, _READ_WITHIN_S)
        except OSError as error:  # too many descriptors are on their way
            raise Unreachable(str(error)) from error
    return True


def _after(message: Message, losses: int) -> Message:
    """The message after so many more processes have ended that were to read it."""
    return replace(message, fields={**message.fields, "lost": message.fields["lost"] + losses})


async def _pass_bytes(
    stream: IOStream, sock: socket.socket, message: Message, upgrade: bool, workers: WorkerGroup
) -> None:
    """Send a request and carry the answer; if none comes, send the request to this process, which refuses it."""
    try:
        await ipc.send(sock, message)
        if await (_relay(stream, IOStream(sock)) if upgrade else _relay_answer(stream, IOStream(sock))):
            return
        sock = await workers.reach(workers.socket_path, 0)
        await ipc.send(sock, _after(message, ATTEMPTS))
        await _relay_answer(stream, IOStream(sock))
    except Unreachable as error:
        log.warning("A connection could not be handed over, and is closed: %s", error)
        sock.close()
    finally:
        await close_gently(stream)


def portable(user: Any) -> Any:
    """This user as a message can carry it; None if it would arrive as another user."""
    try:
        return user if json.loads(json.dumps(user)) == user else None
    except (TypeError, ValueError):
        return None


def _original_scheme(context: Any) -> str:
    """How the connection itself came, whatever a proxy's header says: that header is read again."""
    return str(context._orig_protocol)


async def _relay(stream: IOStream, other: IOStream) -> bool:
    """Carry bytes both ways until either end is closed: what TLS has encrypted cannot be read elsewhere.

    False if the client still waits for the first ones.
    """
    there = asyncio.ensure_future(_carry(stream, other))
    back = asyncio.ensure_future(_carry(other, stream))
    await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
    there.cancel()
    back.cancel()
    other.close()
    return there.done() or stream.closed() or back.result()


async def _relay_answer(stream: IOStream, other: IOStream) -> bool:
    """Carry one answer back; what the client sends meanwhile goes nowhere. False if the client still waits for it."""
    stream.set_close_callback(other.close)
    has_begun = await _carry(other, stream)
    other.close()
    return has_begun or stream.closed()


async def _carry(source: IOStream, target: IOStream) -> bool:
    """Carry bytes until either end is closed; whether there were any."""
    carried = False
    try:
        while True:
            await target.write(await source.read_bytes(_RELAY_BYTES, partial=True))
            carried = True
    except OSError:  # StreamClosedError too
        return carried
