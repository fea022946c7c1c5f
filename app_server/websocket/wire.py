"""A connected WebSocket on its raw socket, from a sans-I/O reader of frames to its owner and back.

Tornado does the HTTP handshake; then the socket is taken over, and bytes go straight between it and the reader. That
saves Tornado's three reads and one write for each frame, works for TLS too, and needs only the descriptor, which can
be passed to another process.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial

from app_server import system
from app_server.engine.sinks import Pack
from app_server.errors import PeerError
from app_server.observe.gauges import ApplicationGauges
from app_server.protocol import websocket
from app_server.protocol.connection import ConnectionState
from app_server.protocol.deflate import Deflate
from app_server.protocol.frame_reader import DISCARDED, FrameReader, Incoming
from app_server.websocket.owner import Traffic, WireLimits, WireOwner
from app_server.websocket.sender import WOULD_BLOCK, Sender

_READ_BYTES = 64 * 1024
"""How many bytes one call reads at most. Python allocates a buffer of this size for each call. If it were larger than
128 KiB, the kernel would map and unmap its memory each time, which takes 12 µs."""

_SLICE_S = 0.02
"""How long the messages of one read, which may be thousands, are handled before others have their turn."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only

_OPEN, _CLOSED, _FAILED = ConnectionState.OPEN, ConnectionState.CLOSED, ConnectionState.FAILED
_DISCONNECTED = ConnectionState.DISCONNECTED


class Wire(Sender):
    """One client's socket; its methods never block and may be called in any state."""

    def __init__(
        self,
        sock: socket.socket,
        owner: WireOwner,
        limits: WireLimits,
        *,
        deflate: Deflate | None = None,
        traffic: Traffic | None = None,
        clock: Callable[[], float] = time.monotonic,
        left_over: bytes = b"",
    ) -> None:
        super().__init__(sock, owner, traffic if traffic is not None else ApplicationGauges(), clock)
        self._left_over = left_over
        self._limits = limits
        self.pack: Pack | None = None if deflate is None else partial(websocket.serialize, deflate=deflate)
        self._reader = FrameReader(limits.max_message_bytes, deflate=deflate, may_discard=owner.may_discard)
        self._paused = False
        self._unhandled: Iterator[Incoming] | None = None
        self._quick_acks = _QUICKACK is not None and sock.family != system.UNIX_FAMILY

    def start(self) -> None:
        """Begin to read, with what came before the wire was made."""
        left_over, self._left_over = self._left_over, b""
        if left_over:
            self._traffic.bytes_in += len(left_over)
            self._received(left_over)
        self._watch()

    def pause(self) -> None:
        """Stop reading until `resume`."""
        self._paused = True
        self._watch()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._watch()

    @property
    def _is_deaf(self) -> bool:
        """Whether nothing is read now: the owner has paused it, too much is queued for the client, or what was read
        has yet to be handled. After our Close frame we keep reading, but only for the client's answer to it."""
        if self._unhandled is not None or self._connection.state is not _OPEN:
            return self._unhandled is not None
        return self._paused or self._queue.queued_bytes > self._limits.max_queue_bytes

    def _readable(self) -> None:
        while not self._is_deaf and self._connection.state is not _DISCONNECTED:
            try:
                data = self._socket.recv(_READ_BYTES)
            except WOULD_BLOCK:
                return
            except OSError as error:
                self._abort_for(error)
                return
            if not data:
                self.abort(1006, "the client went away")
                return
            self._traffic.bytes_in += len(data)
            self._has_sent = False
            self._received(data)
            if not self._has_sent:
                self._acknowledge()
            # A TLS record may hold more than was asked for, and nothing will announce it again.
            if not isinstance(self._socket, ssl.SSLSocket) or not self._socket.pending():
                return

    def _acknowledge(self) -> None:
        """Acknowledge a part of a message at once: a client with Nagle's algorithm keeps the rest back until then."""
        if self._quick_acks and _QUICKACK is not None and self._connection.state is not _DISCONNECTED:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _received(self, data: bytes) -> None:
        self.last_heard_s = self._clock()
        if self._connection.state is not _FAILED:
            self._handle(self._reader.feed(data))

    def _handle(self, frames: Iterator[Incoming]) -> None:
        """Handle these frames, but let the loop turn to others if that takes long; nothing is read before the end."""
        until_s = self._clock() + _SLICE_S
        connection = self._connection
        self._unhandled = None
        try:
            for opcode, payload in frames:
                if connection.state is _DISCONNECTED:
                    return
                if opcode <= websocket.BINARY:
                    self._frame(opcode, payload)
                else:
                    self._control(opcode, payload)
                if self._clock() > until_s:
                    self._unhandled = frames
                    self._loop.add_callback(self._go_on)
                    break
            if connection.unanswered_ping is not None and not self._queue.chunks:
                self._enqueue(websocket.serialize(connection.pong()))
        except PeerError as error:
            self._fail(error)

    def _go_on(self) -> None:
        """Handle what came with the frames that took long."""
        if self._unhandled is None or self.closed:
            return
        self._handle(self._unhandled)
        if self._unhandled is None and isinstance(self._socket, ssl.SSLSocket):
            self._readable()  # nothing announces what a TLS record has brought already
        self._watch()

    def _fail(self, error: PeerError) -> None:
        """Close the connection to a peer whose bytes are no frames, without waiting for an answer in frames."""
        if self._owner is not None:
            self._owner.refused(error)  # what it sends the page to say so leaves before the Close frame
        self._send_close(self._connection.fail(error.close_code, error.what))
        # End our direction, and the peer ends its own.
        if not self.closed and not self._queue.chunks and not isinstance(self._socket, ssl.SSLSocket):
            with contextlib.suppress(OSError):  # the peer was faster
                self._socket.shutdown(socket.SHUT_WR)

    def _frame(self, opcode: int, payload: bytes) -> None:
        owner = self._owner
        if owner is None or self._connection.state is not _OPEN:
            return  # "a peer discards any further data received" (RFC 6455, section 1.4)
        try:
            if opcode == DISCARDED:
                owner.frame_discarded()
            else:
                owner.frame_received(opcode, payload)
        except PeerError as error:
            if self._owner is not None:
                owner.refused(error)
            self.close(error.close_code, error.what)

    def _control(self, opcode: int, payload: bytes) -> None:
        connection = self._connection
        if opcode == websocket.PONG:
            self._lag.answered(payload, self.last_heard_s)
            if self._lateness.awaited:
                self._lateness.note_relief()
        elif opcode == websocket.PING:
            connection.receive_ping(payload)  # answered when all frames are handled
        else:
            self._enqueue(websocket.serialize(connection.receive_close(payload)))
            if connection.state is _CLOSED and not self._queue.chunks:
                self.abort()
