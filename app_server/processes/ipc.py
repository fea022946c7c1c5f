"""Messages between the processes of one server, over Unix sockets.

    message = lengths (two 32-bit numbers, big-endian) + fields (JSON) + body (bytes), and at most one descriptor

A connection is passed as a descriptor (SCM_RIGHTS, unix(7)), which costs one system call; or, if its bytes go through
the sender (TLS), as the Unix socket that brought the message.
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LENGTHS = struct.Struct("!II")
_MAX_FIELDS_BYTES = 64 * 1024 * 1024  # the state of a process with very many sessions
_MAX_BODY_BYTES = 16 * 1024 * 1024
_ASKED_AT_ONCE = 64  # processes, each of which needs a descriptor
_READ_BYTES = 256 * 1024

_ANSWERING = b"."

BEGUN, ALREADY = b"+", b"="
"""The answers to a request for a session's process: it was forked, or the session has one already."""

_ACCEPT_PAUSE_S = 0.1
"""How long nothing is accepted after a failure: trying at once would only fail again."""


class Unreachable(Exception):
    """There is no process at the other end: it has ended, is about to start, or never existed."""


@dataclass(frozen=True, slots=True)
class Message:
    """`body` is what was read from a connection already; `descriptor` is that connection, None if there is none."""

    fields: Mapping[str, Any]
    body: bytes = b""
    descriptor: int | None = None

    def packed(self) -> bytes:
        """The message as bytes, without the descriptor."""
        fields = json.dumps(self.fields, separators=(",", ":")).encode()
        return _LENGTHS.pack(len(fields), len(self.body)) + fields + self.body


async def reach(socket_path: Path) -> socket.socket:
    """A connection to the process that listens there; Unreachable if none does."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await _connect(sock, str(socket_path))
    except OSError as error:  # also because the folder has gone, or something else is in its place
        sock.close()
        raise Unreachable(f"{socket_path.name}: {error.strerror or error}") from error
    except BaseException:
        sock.close()
        raise
    return sock


async def accept(listener: socket.socket, on_failure: Callable[[OSError], None]) -> socket.socket:
    """The next connection to this process; if there is no descriptor for it now, it waits in the listener's queue."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return (await loop.sock_accept(listener))[0]
        except OSError as error:
            on_failure(error)
            await asyncio.sleep(_ACCEPT_PAUSE_S)


async def _connect(sock: socket.socket, path: str) -> None:
    while True:
        try:
            sock.connect(path)
            return
        except BlockingIOError:
            # The other's backlog is full: a Unix socket reports that at once, and never when it has room again.
            await asyncio.sleep(0.01)


async def send(sock: socket.socket, message: Message) -> None:
    """Send a message, whose descriptor stays open here. Unreachable if the other end goes away meanwhile."""
    data = message.packed()
    try:
        if message.descriptor is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [message.descriptor]))]
            # The socket is new and its buffer empty: this takes at least the beginning and the descriptor.
            data = data[sock.sendmsg([data], rights) :]
        if data:
            await asyncio.get_running_loop().sock_sendall(sock, data)
    except ConnectionError as error:
        raise Unreachable(str(error)) from error


async def ask(socket_path: Path, fields: Mapping[str, Any], patience_s: float) -> Mapping[str, Any]:
    """What the process answers; Unreachable if it is gone, TimeoutError if it is busy for too long."""
    async with asyncio.timeout(patience_s):
        sock = await reach(socket_path)
        try:
            await send(sock, Message(fields))
            return (await receive(sock)).fields
        finally:
            sock.close()


async def ask_all(
    socket_paths: Sequence[Path], fields: Mapping[str, Any], patience_s: float
) -> list[Mapping[str, Any] | None]:
    """What each of these processes answers; None for one that did not in time. There may be thousands of them."""

    async def one(socket_path: Path) -> Mapping[str, Any] | None:
        try:
            return await ask(socket_path, fields, patience_s)
        except (Unreachable, TimeoutError):
            return None

    answers: list[Mapping[str, Any] | None] = []
    for start in range(0, len(socket_paths), _ASKED_AT_ONCE):
        answers += await asyncio.gather(*map(one, socket_paths[start : start + _ASKED_AT_ONCE]))
    return answers


def receive_now(sock: socket.socket, patience_s: float) -> Message:
    """The next message, for a process without a loop; Unreachable if it is not complete within that time."""
    sock.settimeout(patience_s)
    data = bytearray()
    descriptors: list[int] = []
    try:
        while (need := _missing(data)) > 0:
            data += _part(sock, need, descriptors)
        return _message(data, descriptors)
    except (OSError, ValueError) as error:
        _close(descriptors)
        raise Unreachable(str(error)) from error
    except BaseException:
        _close(descriptors)
        raise


async def read_by_peer(sock: socket.socket, patience_s: float) -> None:
    """Return when the other end has read everything and closed the socket, or when the time is up.

    Unreachable if it goes away without having read everything, which Linux reports as a reset.
    """
    try:
        async with asyncio.timeout(patience_s):
            while True:
                await _readable(sock)
                with suppress(BlockingIOError):
                    sock.recv(1)
                    return
    except TimeoutError:
        return
    except ConnectionError as error:
        raise Unreachable(str(error)) from error


async def answered(sock: socket.socket) -> bool:
    """Whether the other end answers the request that it was sent, once it begins to, or has ended without.

    Unreachable if it ends without having read everything.
    """
    try:
        while True:
            await _readable(sock)
            with suppress(BlockingIOError):
                return sock.recv(1) == _ANSWERING
    except ConnectionError as error:
        raise Unreachable(str(error)) from error


def report_answer(sock: socket.socket) -> None:
    """Let the sender of a request know that it is being answered, or that it was handed on."""
    with suppress(OSError):  # the sender has ended
        sock.send(_ANSWERING)


async def receive(sock: socket.socket) -> Message:
    """The next message; Unreachable if the other end goes away before it is complete."""
    data = bytearray()
    descriptors: list[int] = []
    try:
        while (need := _missing(data)) > 0:
            await _readable(sock)
            with suppress(BlockingIOError):
                data += _part(sock, need, descriptors)
        return _message(data, descriptors)
    except (OSError, ValueError) as error:
        _close(descriptors)
        raise Unreachable(str(error)) from error
    except BaseException:
        _close(descriptors)
        raise


def _part(sock: socket.socket, need: int, descriptors: list[int]) -> bytes:
    """At most `need` bytes of a message that have arrived; a descriptor that comes with them is added to the list."""
    part, found, flags, _ = socket.recv_fds(sock, min(need, _READ_BYTES), 1)
    descriptors += found
    if flags & socket.MSG_CTRUNC:
        # The rest stays unread, which shows the sender that it still owns the connection (`read_by_peer`).
        raise Unreachable("this process has no descriptor left for what came with it")
    if not part:
        raise Unreachable("the sender went away")
    return part


def _message(data: bytearray, descriptors: list[int]) -> Message:
    fields_end = _LENGTHS.size + _LENGTHS.unpack_from(data)[0]
    fields = json.loads(bytes(data[_LENGTHS.size : fields_end]))
    if not isinstance(fields, dict):
        raise Unreachable("the sender sent no fields")
    return Message(fields, bytes(data[fields_end:]), descriptors[0] if descriptors else None)


def _missing(data: bytearray) -> int:
    """How many bytes of the message are missing, as far as known; exactly those are read, and nothing after them."""
    if len(data) < _LENGTHS.size:
        return _LENGTHS.size - len(data)
    fields, body = _LENGTHS.unpack_from(data)
    if fields > _MAX_FIELDS_BYTES or body > _MAX_BODY_BYTES:
        raise Unreachable("the sender sent nonsense")
    return _LENGTHS.size + int(fields) + int(body) - len(data)


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, note)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
