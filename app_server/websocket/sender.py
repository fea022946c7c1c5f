"""What goes out on a WebSocket's raw socket: one system call for a turn's messages, a queue if the kernel is full."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from tornado.ioloop import IOLoop

from app_server.protocol import websocket
from app_server.protocol.connection import ConnectionState, FrameConnection, Frames
from app_server.protocol.lag import QUEUED_BYTES, UNPROVEN_BYTES
from app_server.protocol.websocket import Payload
from app_server.websocket.lateness import UNSENT_BYTES, Lateness
from app_server.websocket.owner import Traffic, WireOwner
from app_server.websocket.write_queue import WriteQueue, size_of

log = logging.getLogger(__name__)

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises that can take, or give, nothing now."""

_CLOSE_TIMEOUT_S = 5.0  # how long a peer has to answer our Close frame before the connection is cut
_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS

_JOINED_BYTES = 64 * 1024
"""A message up to this size is copied together with its probe, which costs less than to send two chunks."""

_OPEN, _CLOSED, _DISCONNECTED = ConnectionState.OPEN, ConnectionState.CLOSED, ConnectionState.DISCONNECTED


class Sender(ABC):
    """The sending half of a wire, and its end; `Wire` adds the reading half."""

    def __init__(self, sock: socket.socket, owner: WireOwner, traffic: Traffic, clock: Callable[[], float]) -> None:
        self._socket = sock
        self._owner: WireOwner | None = owner
        self._traffic = traffic
        self._clock = clock
        self._loop = IOLoop.current()
        self._connection = FrameConnection()
        self._queue = WriteQueue(sock, traffic)
        self._lateness = Lateness(sock, self._queue, owner.wire_caught_up, clock)
        self._lag = self._lateness.lag
        self._watching = 0
        self._has_sent = False
        self._deadline: object | None = None
        self.last_heard_s = clock()
        self.last_taken_s = self.last_heard_s
        """When the kernel last took some of what was queued."""
        self.last_sent_s = -math.inf
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # Several small writes in a row must not wait for the peer's delayed acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _NOTSENT_LOWAT is not None:
                sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)

    @property
    @abstractmethod
    def _is_deaf(self) -> bool: ...

    @abstractmethod
    def _readable(self) -> None: ...

    def write(self, chunks: Sequence[Payload]) -> None:
        """Send these bytes after those that are queued."""
        # "The application MUST NOT send any more data frames after sending a Close frame" (RFC 6455, section 5.5.1).
        if self._connection.state is not _OPEN:
            return
        self.last_sent_s = self._clock()
        lag = self._lag
        only = chunks[0] if len(chunks) == 1 else None
        size = len(only) if isinstance(only, bytes) else sum(map(size_of, chunks))
        if lag.sent_bytes + size < lag.look_at_bytes:
            lag.sent_bytes += size
        else:
            before, after = lag.probes(size, self.last_sent_s)
            if before is not None or after is not None:
                chunks = [*_probe(before), *chunks, *_probe(after)]
                if isinstance(only, bytes) and size <= _JOINED_BYTES:
                    chunks = [b"".join(chunks)]
        self._enqueue(chunks)
        if lag.under_way and not lag.answers:
            lag.taken(self._queue.queued_bytes)

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._connection.state is _DISCONNECTED

    @property
    def queued_bytes(self) -> int:
        """How many bytes the kernel has not taken yet."""
        return self._queue.queued_bytes

    @property
    def is_late(self) -> bool:
        """Whether the client has yet to read what it was sent; if so, `wire_caught_up` is called when it has."""
        lag, queued_bytes = self._lag, self._queue.queued_bytes
        trusted = lag.answers or lag.sent_bytes <= UNPROVEN_BYTES
        if trusted and not lag.under_way and queued_bytes <= QUEUED_BYTES:
            return False  # most clients, at once
        if self._connection.state is _DISCONNECTED or not lag.is_late(queued_bytes, self._clock()):
            return False
        return self._lateness.confirm()

    @property
    def has_room(self) -> bool:
        """Whether a client that was late may be sent more; if not, `wire_caught_up` is called when it may."""
        if self._connection.state is _DISCONNECTED:
            return False
        if self.is_late or not self._lag.has_room(self._queue.queued_bytes):
            self._lateness.wait()
            return False
        return True

    def watch_closely(self) -> None:
        """Note that the client was late indeed."""
        self._lateness.watch_closely()

    @property
    def late_by_s(self) -> float:
        """For how long the oldest message that the client has not read, as far as is known, has been on its way."""
        return self._lateness.late_by_s

    def has_gone(self, limit_s: float) -> bool:
        """Whether the client has taken nothing for so long or, if nothing is queued, has been silent for so long."""
        if self._queue.chunks:
            return self._clock() - self.last_taken_s > limit_s
        return self._lateness.has_gone(max(self.last_heard_s, self.last_taken_s), limit_s)

    def give_up(self, waiting_bytes: int, why: str) -> None:
        """Cut off a client that does not read."""
        log.warning("Client %s; closing the connection (%d bytes queued)", why, waiting_bytes)
        self.abort(1008, "the client does not read")

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        if self._connection.state is _OPEN:
            self._enqueue([websocket.frame_header(websocket.PING, 0)])

    def close(self, code: int, reason: str = "") -> None:
        """Send a Close frame, and cut the connection when the peer has answered it or after 5 seconds."""
        self._send_close(self._connection.close(code, reason))

    def abort(self, code: int = 1006, reason: str = "") -> None:
        """Cut the connection now."""
        if self.closed:
            return
        self._connection.disconnect()
        if self._watching:
            self._loop.remove_handler(self._socket)
            self._watching = 0
        if self._deadline is not None:
            self._loop.remove_timeout(self._deadline)
        self._lateness.stop()
        self._queue.clear()
        with contextlib.suppress(OSError):  # the peer was faster
            self._socket.close()
        if self._connection.close_code is not None:
            code, reason = self._connection.close_code, self._connection.close_reason
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.wire_closed(code, reason)

    def _watch(self) -> None:
        wanted = (0 if self._is_deaf else IOLoop.READ) | (IOLoop.WRITE if self._queue.chunks else 0)
        if wanted == self._watching or self._connection.state is _DISCONNECTED:
            return
        if not self._watching:
            self._loop.add_handler(self._socket, self._ready, wanted)
        elif not wanted:
            self._loop.remove_handler(self._socket)
        else:
            self._loop.update_handler(self._socket, wanted)
        self._watching = wanted

    def _ready(self, sock: socket.socket, events: int) -> None:
        if events & (IOLoop.READ | IOLoop.ERROR) and self._connection.state is not _DISCONNECTED:
            self._readable()
        if events & IOLoop.WRITE and not self.closed:
            self._flush()

    def _send_close(self, frames: Frames) -> None:
        if not frames:
            return
        self._enqueue(websocket.serialize(frames))
        if not self.closed:
            self._deadline = self._loop.call_later(_CLOSE_TIMEOUT_S, self.abort)
            self._watch()

    def _enqueue(self, chunks: Sequence[Payload]) -> None:
        if not chunks:
            return
        queue = self._queue
        self._has_sent = True
        if queue.chunks:
            queue.append_copies((*websocket.serialize(self._connection.pong()), *chunks))
            self._watch()
            return
        if len(chunks) == 1:
            chunks = queue.send_at_once(chunks[0])
            if not chunks:
                return
        queue.append(chunks)
        self._flush()
        if queue.chunks:
            queue.own()
            self.last_taken_s = self._clock()

    def _flush(self) -> None:
        queue, connection = self._queue, self._connection
        queued_bytes = queue.queued_bytes
        try:
            while queue.chunks:
                queue.send()
                if connection.unanswered_ping is not None and not queue.chunks:
                    queue.append(websocket.serialize(connection.pong()))
        except WOULD_BLOCK:
            if queue.queued_bytes < queued_bytes:
                self.last_taken_s = self._clock()
        except OSError as error:
            self._abort_for(error)
            return
        if connection.state is _CLOSED and not queue.chunks:
            self.abort()
            return
        self._lag.taken(queue.queued_bytes)
        self._watch()
        if self._lateness.awaited:
            self._lateness.note_relief()

    def _abort_for(self, error: OSError) -> None:
        self.abort(1006, os.strerror(error.errno) if error.errno else str(error))


def _probe(payload: bytes | None) -> Sequence[Payload]:
    return () if payload is None else websocket.serialize([(websocket.PING, payload)])
