"""Takes a socket away from Tornado after the HTTP handshake."""

from __future__ import annotations

import asyncio
import socket

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

_READ_BYTES = 256 * 1024


def take_over(stream: IOStream) -> tuple[socket.socket, bytes]:
    """The socket of an idle Tornado stream, and the bytes that Tornado has read from it already.

    StreamClosedError if the other end has gone away.
    """
    # A read is done at once only if bytes are there; an unfinished one is abandoned with the stream.
    left_over = asyncio.ensure_future(stream.read_bytes(_READ_BYTES, partial=True))
    if left_over.done() and left_over.exception() is not None or stream.closed():
        raise StreamClosedError(stream.error)
    IOLoop.current().remove_handler(stream.fileno())
    taken: socket.socket = stream.socket
    return taken, left_over.result() if left_over.done() else b""
