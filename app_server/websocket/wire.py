"""A connected WebSocket on its raw socket: one system call for what a turn sends, none for what nobody sends.

Tornado does the HTTP handshake; then the socket is taken over, and bytes go straight between it and the sans-I/O
reader. That saves Tornado's three reads and one write for each frame, works for TLS too, and needs nothing but the
descriptor, so that a connection can be passed to another process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

from app_server.errors import PeerError
from app_server.observe.gauges import ApplicationGauges
from app_server.protocol import websocket
from app_server.protocol.lag import GIVEN_UP_AFTER_S, QUEUED_BYTES, UNPROVEN_S, Lag
from app_server.protocol.websocket import Deflate, FrameReader, Incoming, Payload

log = logging.getLogger(__name__)

_READ_BYTES = 256 * 1024
_SLICE_S = 0.02
"""How long the messages that one read brings are handled before others have their turn: it may bring thousands."""

_CLOSE_TIMEOUT_S = 5.0  # how long a peer has to answer our Close frame before the connection is cut
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


_UNSENT_BYTES = 128 * 1024
"""How much of what it has not sent yet the kernel may hold for a client: enough to keep a fast line busy."""

_MOST_AT_ONCE = 64
"""How many chunks one system call gets; Linux takes 1024."""

_JOINED_BYTES = 64 * 1024
"""A message up to this size is copied together with its probe, which costs less than to send two chunks."""

_SLOWEST_BYTES_PER_S = 4096
"""What reads more slowly than this, over all that is on its way, and says nothing, has gone."""


@dataclass(frozen=True, slots=True)
class WireLimits:
    """`max_message_bytes` bounds what comes in. While `max_queue_bytes` wait for a client, it is not read from."""

    max_message_bytes: int
    max_queue_bytes: int


class Traffic(Protocol):
    """Where a wire counts its bytes."""

    bytes_in: int
    bytes_out: int


class WireOwner(Protocol):
    """Who speaks through a wire."""

    def frame_received(self, opcode: int, payload: bytes) -> None: ...

    def frame_discarded(self) -> None: ...

    def may_discard(self, opcode: int, prefix: bytes) -> bool: ...

    def wire_caught_up(self) -> None: ...

    def refused(self, error: PeerError) -> None: ...

    def wire_closed(self, code: int, reason: str) -> None: ...


def take_over(stream: IOStream) -> tuple[socket.socket, bytes]:
    """The socket of a Tornado stream that is idle, and the bytes that had been read from it already.

    StreamClosedError if the other end has gone away.
    """
    # A read is over at once exactly where bytes are there; an unfinished one is given up with the stream.
    left_over = asyncio.ensure_future(stream.read_bytes(_READ_BYTES, partial=True))
    if left_over.done() and left_over.exception() is not None or stream.closed():
        raise StreamClosedError(stream.error)
    IOLoop.current().remove_handler(stream.fileno())
    taken: socket.socket = stream.socket
    return taken, left_over.result() if left_over.done() else b""


class Wire:
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
    ) -> None:
        self._socket = sock
        self._owner: WireOwner | None = owner
        self._limits = limits
        self.deflate = deflate
        self._traffic: Traffic = traffic if traffic is not None else ApplicationGauges()
        self._clock = clock
        self._loop = IOLoop.current()
        self._reader = FrameReader(limits.max_message_bytes, deflate=deflate, may_discard=owner.may_discard)
        self._queue: deque[Payload] = deque()
        self.queued_bytes = 0
        self._lag = Lag()
        self._recheck: object | None = None
        self._awaited = False  # by the owner: that the client is late no more
        self._watching = 0
        self._paused = False
        self._answered = False
        self._broken = False
        self._sent_close: tuple[int, str] | None = None
        self._close_when_drained = False
        self._unanswered_ping: bytes | None = None
        self._unhandled: Iterator[Incoming] | None = None
        self._deadline: object | None = None
        self._vectored = not isinstance(sock, ssl.SSLSocket) and hasattr(sock, "sendmsg")
        self._quick_acks = _QUICKACK is not None and sock.family != socket.AF_UNIX
        self.last_heard_s = clock()
        self.last_taken_s = self.last_heard_s
        """When the kernel last took some of what had to wait for it."""
        self.last_sent_s = -math.inf
        self.closed = False
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # Several small writes in a row must not wait for the peer's delayed acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _NOTSENT_LOWAT is not None:
                sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _UNSENT_BYTES)

    def start(self, left_over: bytes = b"") -> None:
        """Begin to read; `left_over` came before."""
        if left_over:
            self._traffic.bytes_in += len(left_over)
            self._received(left_over)
        self._watch()

    def pause(self) -> None:
        """Read no more until `resume`: the owner has enough to do."""
        self._paused = True
        self._watch()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._watch()

    def write(self, chunks: Sequence[Payload]) -> None:
        """Send these bytes after what waits."""
        if self.closed or self._sent_close is not None:
            return
        self.last_sent_s = self._clock()
        lag = self._lag
        only = chunks[0] if len(chunks) == 1 else None
        size = len(only) if isinstance(only, bytes) else sum(map(_size, chunks))
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
            lag.taken(self.queued_bytes)

    @property
    def is_late(self) -> bool:
        """Whether the client has yet to read what it was sent; if so, the owner hears when it has caught up."""
        lag = self._lag
        if lag.answers and not lag.under_way and self.queued_bytes <= QUEUED_BYTES:
            return False
        if self.closed or not lag.is_late(self.queued_bytes, self._clock()):
            return False
        if lag.answers and self.queued_bytes <= _UNSENT_BYTES and self._has_unread():
            return False  # its answer may be here already
        self._await_relief()
        return True

    @property
    def has_room(self) -> bool:
        """Whether a client that was late may be sent more; if not, the owner hears when that may be so."""
        if self.closed or self.is_late or not self._lag.has_room(self.queued_bytes):
            self._await_relief()
            return False
        return True

    def watch_closely(self) -> None:
        """Take note that the client was late indeed."""
        self._lag.was_late(self._clock())

    @property
    def late_by_s(self) -> float:
        """How long the oldest message has been on its way that the client has not read yet, as far as is known."""
        oldest_s = self._lag.oldest_s
        return 0.0 if oldest_s is None else self._clock() - oldest_s

    def has_gone(self, limit_s: float) -> bool:
        """Whether the client has taken nothing for so long, or, where nothing waits for it, given no sign of life."""
        now_s = self._clock()
        if self._queue:
            return now_s - self.last_taken_s > limit_s
        limit_s += self._lag.unconfirmed_bytes / _SLOWEST_BYTES_PER_S
        if now_s - max(self.last_heard_s, self.last_taken_s) > limit_s:
            return True
        return self._lag.answers and self.late_by_s > 2 * limit_s

    def give_up(self, waiting_bytes: int, why: str) -> None:
        """Cut off a client that does not read."""
        log.warning("A client %s: %d bytes wait for it; its connection ends", why, waiting_bytes)
        self.abort(1008, "the client does not read")

    def _has_unread(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _await_relief(self) -> None:
        """Tell the owner when the client is late no more; what tells us is its answer, or that it gives none."""
        self._awaited = True
        if self._recheck is None and not self.closed:
            delay_s = UNPROVEN_S if self._lag.is_unproven(self._clock()) else GIVEN_UP_AFTER_S
            self._recheck = self._loop.call_later(delay_s, self._check_again)

    def _check_again(self) -> None:
        self._recheck = None
        self._note_relief()
        if self._awaited:
            self._await_relief()

    def _note_relief(self) -> None:
        """Tell an owner that waits for it that the client is not late any more."""
        if self._awaited and not self.closed and not self._lag.is_late(self.queued_bytes, self._clock()):
            self._awaited = False
            if self._owner is not None:
                self._owner.wire_caught_up()

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        if not self.closed and self._sent_close is None:
            self._enqueue([websocket.frame_header(websocket.PING, 0)])

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and cut the connection when the peer has answered or its time is up."""
        if self.closed or self._sent_close is not None:
            return
        self._enqueue(websocket.serialize([(websocket.CLOSE, websocket.close_payload(code, reason))]))
        self._sent_close = code, reason
        if not self.closed:
            self._deadline = self._loop.call_later(_CLOSE_TIMEOUT_S, self.abort, code, reason)
            self._watch()

    def abort(self, code: int = 1006, reason: str = "") -> None:
        """Cut the connection now."""
        if self.closed:
            return
        self.closed = True
        if self._watching:
            self._loop.remove_handler(self._socket)
            self._watching = 0
        for timer in (self._deadline, self._recheck):
            if timer is not None:
                self._loop.remove_timeout(timer)
        self._queue.clear()
        self.queued_bytes = 0
        try:
            self._socket.close()
        except OSError:
            pass  # the peer was faster
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.wire_closed(*(self._sent_close or (code, reason)))

    @property
    def _is_deaf(self) -> bool:
        """Whether nothing is read now: the owner wants it so, the client asks for more than it takes, or what was read
        has yet to be handled. After our Close frame we keep reading, but only for the client's answer to it."""
        if self._unhandled is not None or self._sent_close is not None:
            return self._unhandled is not None
        return self._paused or self.queued_bytes > self._limits.max_queue_bytes

    def _watch(self) -> None:
        wanted = (0 if self._is_deaf else IOLoop.READ) | (IOLoop.WRITE if self._queue else 0)
        if self.closed or wanted == self._watching:
            return
        if not self._watching:
            self._loop.add_handler(self._socket, self._ready, wanted)
        elif not wanted:
            self._loop.remove_handler(self._socket)
        else:
            self._loop.update_handler(self._socket, wanted)
        self._watching = wanted

    def _ready(self, sock: socket.socket, events: int) -> None:
        if events & (IOLoop.READ | IOLoop.ERROR) and not self.closed:
            self._readable()
        if events & IOLoop.WRITE and not self.closed:
            self._flush()

    def _readable(self) -> None:
        while not self._is_deaf and not self.closed:
            try:
                data = self._socket.recv(_READ_BYTES)
            except _WOULD_BLOCK:
                return
            except OSError as error:
                self.abort(1006, os.strerror(error.errno) if error.errno else str(error))
                return
            if not data:
                self.abort(1006, "the client went away")
                return
            self._traffic.bytes_in += len(data)
            self._answered = False
            self._received(data)
            if not self._answered:
                self._acknowledge()
            # A TLS record may hold more than was asked for, and nothing will announce it again.
            if not isinstance(self._socket, ssl.SSLSocket) or not self._socket.pending():
                return

    def _acknowledge(self) -> None:
        """Acknowledge a part of a message at once: a client with Nagle's algorithm keeps the rest back until then."""
        if self._quick_acks and _QUICKACK is not None and not self.closed:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _received(self, data: bytes) -> None:
        self.last_heard_s = self._clock()
        if not self._broken:  # what follows a violation cannot be understood
            self._handle(self._reader.feed(data))

    def _handle(self, frames: Iterator[Incoming]) -> None:
        """Handle these frames, but let the loop turn to others when that takes long; nothing is read before the end."""
        until_s = self._clock() + _SLICE_S
        self._unhandled = None
        try:
            for opcode, payload in frames:
                if self._owner is None or self.closed:
                    return
                if opcode <= websocket.BINARY:
                    self._frame(self._owner, opcode, payload)
                else:
                    self._control(opcode, payload)
                if self._clock() > until_s:
                    self._unhandled = frames
                    self._loop.add_callback(self._go_on)
                    break
            if self._unanswered_ping is not None and not self._queue:
                self._enqueue(self._pong())
        except PeerError as error:
            # The bytes themselves are at fault: not even the answer to our Close frame could be told from the rest.
            self._broken = True
            self._refuse(error)
            self._say_no_more()

    def _go_on(self) -> None:
        """Handle what came with the frames that took long."""
        if self._unhandled is None or self.closed:
            return
        self._handle(self._unhandled)
        if self._unhandled is None and isinstance(self._socket, ssl.SSLSocket):
            self._readable()  # nothing announces what a TLS record has brought already
        self._watch()

    def _refuse(self, error: PeerError) -> None:
        if self._owner is not None:
            self._owner.refused(error)
        self.close(error.close_code, error.what)

    def _say_no_more(self) -> None:
        """End our direction of the connection, so that the peer ends its own without waiting for anything."""
        if not self.closed and not self._queue and not isinstance(self._socket, ssl.SSLSocket):
            with contextlib.suppress(OSError):  # the peer was faster
                self._socket.shutdown(socket.SHUT_WR)

    def _frame(self, owner: WireOwner, opcode: int, payload: bytes) -> None:
        if self._sent_close is not None:
            return  # what comes after our Close frame is not wanted
        try:
            if opcode == websocket.DISCARDED:
                owner.frame_discarded()
            else:
                owner.frame_received(opcode, payload)
        except PeerError as error:
            self._refuse(error)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket.PING:
            self._unanswered_ping = payload
        elif opcode == websocket.PONG:
            self._lag.answered(payload, self.last_heard_s)
            if self._awaited:
                self._note_relief()
        elif opcode == websocket.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            if self._sent_close is None:
                self._enqueue(websocket.serialize([(websocket.CLOSE, payload[:2])]))
                self._sent_close = code, payload[2:].decode("utf-8", "replace")
            self._close_when_drained = True
            if not self._queue:
                self.abort()

    def _pong(self) -> Sequence[Payload]:
        """The answer to the newest PING, if it has none yet.

        A client that sends more of them than it reads answers to gets one for all: an endpoint "MAY elect to send a
        Pong frame for only the most recently processed Ping frame" (RFC 6455, section 5.5.3).
        """
        payload, self._unanswered_ping = self._unanswered_ping, None
        if payload is None or self.closed or self._sent_close is not None:
            return ()
        return websocket.serialize([(websocket.PONG, payload)])

    def _enqueue(self, chunks: Sequence[Payload]) -> None:
        if not chunks:
            return
        waiting = bool(self._queue)
        self._answered = True
        if waiting:
            self._append(map(_owned, (*self._pong(), *chunks)))
            self._watch()
            return
        if len(chunks) == 1:
            chunks = self._send_at_once(chunks[0])
            if not chunks:
                return
        self._append(chunks)
        self._flush()
        if self._queue:
            self._queue = deque(map(_owned, self._queue))
            self.last_taken_s = self._clock()

    def _append(self, chunks: Iterable[Payload]) -> None:
        before = len(self._queue)
        self._queue.extend(chunks)
        self.queued_bytes += sum(map(_size, islice(reversed(self._queue), len(self._queue) - before)))

    def _send_at_once(self, chunk: Payload) -> Sequence[Payload]:
        """What is left of a chunk after one attempt to send it: nothing, as a rule."""
        try:
            sent = self._socket.send(chunk)
        except OSError:  # also where it would block: the queue knows what to do
            return (chunk,)
        self._traffic.bytes_out += sent
        size = len(chunk) if isinstance(chunk, bytes) else chunk.nbytes
        return () if sent == size else (memoryview(chunk)[sent:],)

    def _flush(self) -> None:
        waited = self.queued_bytes
        try:
            while self._queue:
                self._sent(self._send())
                if self._unanswered_ping is not None and not self._queue:
                    self._append(self._pong())
        except _WOULD_BLOCK:
            if self.queued_bytes < waited:
                self.last_taken_s = self._clock()
        except OSError as error:
            self.abort(1006, os.strerror(error.errno) if error.errno else str(error))
            return
        if self._close_when_drained and not self._queue:
            self.abort()
            return
        self._lag.taken(self.queued_bytes)
        self._watch()
        if self._awaited:
            self._note_relief()

    def _send(self) -> int:
        if self._vectored and len(self._queue) > 1:
            return self._socket.sendmsg(list(islice(self._queue, _MOST_AT_ONCE)))
        return self._socket.send(self._queue[0])

    def _sent(self, size: int) -> None:
        self._traffic.bytes_out += size
        self.queued_bytes -= size
        while size > 0 or (self._queue and _size(self._queue[0]) == 0):
            first = _size(self._queue[0])
            if size < first:
                self._queue[0] = memoryview(self._queue[0])[size:]
                return
            size -= first
            self._queue.popleft()


def _probe(payload: bytes | None) -> Sequence[Payload]:
    return () if payload is None else websocket.serialize([(websocket.PING, payload)])


def _owned(chunk: Payload) -> Payload:
    """The chunk, copied if it is the view of an array, which may change before it is sent.

    The rest of a chunk that was sent in part is a view of bytes, and stays one: copying it again after every write
    would make large messages to slow clients quadratic.
    """
    return chunk.tobytes() if isinstance(chunk, memoryview) and not isinstance(chunk.obj, bytes) else chunk


def _size(chunk: Payload) -> int:
    return chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)
