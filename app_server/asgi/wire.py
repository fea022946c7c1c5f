"""A client's WebSocket at an ASGI server, which frames, compresses and pings.

What `send` has taken is out of our hands. So a client is late if the server takes nothing, which it does as long as its
own buffer is full: that it sees what the client has read, as `websocket.Wire` does by its PINGs, ASGI does not offer.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import time
from asyncio import Future, Task
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app_server.asgi.events import close_event, send_event
from app_server.asgi.scope import Event, Receive, Send
from app_server.engine.sinks import Pack
from app_server.errors import PeerError, TooLargeError
from app_server.protocol.codec import Frame
from app_server.protocol.lag import QUEUED_BYTES
from app_server.protocol.websocket import BINARY, TEXT
from app_server.websocket.owner import Traffic, WireLimits, WireOwner

log = logging.getLogger(__name__)

_LATE_S: Final = 0.2
_STRICTLY_LATE_S: Final = 0.05
_STRICT_FOR_S: Final = 5.0
"""For how long a message may wait for the server before its client is late; one that was late lately gets less."""

_CLOSE_TIMEOUT_S: Final = 5.0
"""How long the server has to take our Close."""

_SLICE_S: Final = 0.02
"""How long messages that are there already are handled before others have their turn."""

_PREFIX_BYTES: Final = 4096
"""How much of an oversized message is looked at before it is refused or discarded."""


@dataclass(slots=True)
class _Queued:
    frame: Frame
    size: int
    since_s: float


def _begun(work: Coroutine[Any, Any, None]) -> Task[None]:
    """A task for this work; from Python 3.12 on, it runs at once as far as it can, which is often to its end."""
    if sys.version_info >= (3, 12):
        return Task(work, loop=asyncio.get_running_loop(), eager_start=True)
    return asyncio.get_running_loop().create_task(work)


class AsgiWire:
    """One client's connection; its methods never block and may be called in any state. `run` carries the messages."""

    def __init__(
        self, owner: WireOwner, limits: WireLimits, traffic: Traffic, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pack: Pack | None = list
        self._owner = owner
        self._limits = limits
        self._traffic = traffic
        self._clock = clock
        self._queue: deque[_Queued] = deque()
        self._may_read = asyncio.Event()
        self._paused = False
        self._over: Future[None] = asyncio.get_running_loop().create_future()
        self._send: Send | None = None
        self._is_writing = False
        self._writer: Task[None] | None = None
        self._closing: Event | None = None
        self._close_sent = False
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = False
        self._strict_until_s = -math.inf
        self.queued_bytes = 0
        self.last_heard_s = self.last_taken_s = clock()
        self.last_sent_s = -math.inf

    def start(self) -> None:
        """Begin to read."""
        self._decide_reading()

    async def run(self, receive: Receive, send: Send, first: Future[Event]) -> None:
        """Carry messages until the connection is over; `first` is what the client sends first."""
        self._send = send
        self._write_out()
        reading = asyncio.ensure_future(self._read(receive, first))
        try:
            await asyncio.wait({self._over, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and (error := reading.exception()) is not None:
                level = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
                log.log(level, "The connection has failed: %s", error, exc_info=error)
        finally:
            self.abort(1006, "the server has ended the connection")
            tasks: list[Future[Any]] = [first, reading, *([] if self._writer is None else [self._writer])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._send_close(send)

    def write(self, chunks: Sequence[Frame]) -> None:
        """Send these frames after those that are queued; arrays are copied, as they may change before that."""
        if self.closed or self._closing is not None:
            return
        self.last_sent_s = now_s = self._clock()
        for opcode, payload in chunks:
            owned = payload.tobytes() if isinstance(payload, memoryview) else payload
            queued = _Queued((opcode, owned), len(owned), now_s)
            self._queue.append(queued)
            self.queued_bytes += queued.size
        self._write_out()

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._over.done()

    @property
    def is_late(self) -> bool:
        """Whether the server still has to take what the client was sent; if so, `wire_caught_up` is called later."""
        if not self._queue or self.closed or not self._is_late():
            return False
        self._awaited = True
        return True

    @property
    def has_room(self) -> bool:
        """Whether a client that was late may be sent more; if not, `wire_caught_up` is called when it may."""
        if self.closed:
            return False
        if self._queue:
            self._awaited = True
        return not self._queue

    @property
    def late_by_s(self) -> float:
        """For how long the oldest message has waited for the server."""
        return self._clock() - self._queue[0].since_s if self._queue else 0.0

    def watch_closely(self) -> None:
        """Note that the client was late indeed."""
        self._strict_until_s = self._clock() + _STRICT_FOR_S

    def has_gone(self, limit_s: float) -> bool:
        """Whether the server has taken nothing of what is queued for so long; it finds silent clients itself."""
        return bool(self._queue) and self._clock() - self.last_taken_s > limit_s

    def ping(self) -> None:
        """Nothing: ASGI has no PINGs, and the server sends its own."""

    def pause(self) -> None:
        """Stop reading until `resume`."""
        self._paused = True
        self._decide_reading()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        self._decide_reading()

    def give_up(self, waiting_bytes: int, why: str) -> None:
        """Cut off a client that does not read."""
        log.warning("Client %s; closing the connection (%d bytes queued)", why, waiting_bytes)
        self.abort(1008, "the client does not read")

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection when all that is queued was sent, or after 5 seconds."""
        if self.closed or self._closing is not None:
            return
        self._closing = close_event(code, reason)
        self._deadline = asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT_S, self.abort, code, reason)
        self._write_out()

    def abort(self, code: int = 1006, reason: str = "") -> None:
        """End the connection now."""
        if self.closed:
            return
        if self._closing is None and code != 1006:
            self._closing = close_event(code, reason)
        self._over.set_result(None)
        self._queue.clear()
        self.queued_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
        self._owner.wire_closed(code, reason)

    def _is_late(self) -> bool:
        limit_s = _STRICTLY_LATE_S if self._clock() < self._strict_until_s else _LATE_S
        return self.queued_bytes > QUEUED_BYTES or self.late_by_s > limit_s

    def _decide_reading(self) -> None:
        """Read, unless the owner has paused it or too much is queued for the client."""
        if self._paused or self.queued_bytes > self._limits.max_queue_bytes:
            self._may_read.clear()
        else:
            self._may_read.set()

    async def _read(self, receive: Receive, first: Future[Event]) -> None:
        await self._may_read.wait()
        event = await first
        until_s = self._clock() + _SLICE_S
        while self._received(event):
            self._decide_reading()
            if self._clock() > until_s:
                await asyncio.sleep(0)
                until_s = self._clock() + _SLICE_S
            await self._may_read.wait()
            event = await receive()

    def _received(self, event: Event) -> bool:
        """Handle what the server says; whether more may come."""
        if event["type"] == "websocket.disconnect":
            self._close_sent = True  # the client has gone already
            self.abort(event.get("code") or 1005, event.get("reason") or "")
            return False
        if self.closed or self._closing is not None:
            return not self.closed  # what comes after our Close is not looked at
        self.last_heard_s = self._clock()
        text, payload = event.get("text"), event.get("bytes")
        opcode, payload = (BINARY, payload or b"") if text is None else (TEXT, text.encode("utf-8", "surrogatepass"))
        self._traffic.bytes_in += len(payload)
        try:
            self._frame(opcode, payload)
        except PeerError as error:
            self._owner.refused(error)
            self.close(error.close_code, error.what)
        return True

    def _frame(self, opcode: int, payload: bytes) -> None:
        limit = self._limits.max_message_bytes
        if len(payload) <= limit:
            self._owner.frame_received(opcode, payload)
        elif self._owner.may_discard(opcode, payload[:_PREFIX_BYTES]):
            self._owner.frame_discarded()
        else:
            raise TooLargeError(limit, len(payload), whole=True)

    def _write_out(self) -> None:
        """Send what is queued: at once, as far as the server takes it, and the rest in a task."""
        if self._is_writing or self._send is None or self.closed:
            return
        self._is_writing = True
        writer = _begun(self._write(self._send))
        self._writer = None if writer.done() else writer

    async def _write(self, send: Send) -> None:
        try:
            while self._queue:
                await self._send_next(send)
            if self._closing is not None and not self.closed:
                await self._send_close(send)
                self.abort(self._closing["code"], self._closing["reason"])
        except OSError as error:
            self.abort(1006, str(error) or "the client went away")
        except Exception as error:  # what servers raise that follow an older version of the specification
            log.debug("The ASGI server took no more: %s", error, exc_info=error)
            self.abort(1006, "the client went away")
        finally:
            self._is_writing = False

    async def _send_next(self, send: Send) -> None:
        queued = self._queue[0]
        await send(send_event(*queued.frame))
        self._traffic.bytes_out += queued.size
        self.last_taken_s = self._clock()
        if not self._queue:  # the connection was ended meanwhile
            return
        self._queue.popleft()
        self.queued_bytes -= queued.size
        self._decide_reading()
        if self._awaited and not (self._queue and self._is_late()):
            self._awaited = False
            self._owner.wire_caught_up()

    async def _send_close(self, send: Send) -> None:
        """Send our Close, once; a server whose client does not read may not take it."""
        if self._closing is None or self._close_sent:
            return
        self._close_sent = True
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await send(self._closing)
        except (OSError, TimeoutError, RuntimeError) as error:
            log.debug("The ASGI server took no Close: %s", error)
