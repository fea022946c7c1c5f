"""One WebSocket to a server, message by message; everything here runs in one event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from tornado.iostream import StreamClosedError

from app_server import system
from app_server.client.errors import CannotConnect, ConnectionLost, ProtocolViolation, Refused
from app_server.client.handshake import READ_BYTES, Opened, shake_hands
from app_server.client.opening import Opening
from app_server.errors import PeerError, TooLargeError
from app_server.protocol import messages
from app_server.protocol.codec import Frame
from app_server.protocol.connection import ConnectionState, FrameConnection, Frames
from app_server.protocol.frame_reader import Incoming, ServerFrameReader
from app_server.protocol.messages import Message
from app_server.protocol.receiver import Receiver
from app_server.protocol.websocket import CLOSE, masked_frame

log = logging.getLogger(__name__)

_FLUSH_PATIENCE_S: Final = 10.0
"""How long queued messages have to leave when the connection is closed."""

_CLOSE_PATIENCE_S: Final = 2.0
"""How long the other end has to answer our Close frame."""

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # only Linux has it

_MORE_VALUES = 4
"""A program pulls documents that applications have made, and blocks only itself; 20 MiB cannot hold more numbers."""

_CLOSE_HINTS: Final = {
    1001: "The session has ended, or the server is going away.",
    1008: "The token was not accepted: is BOKEH_SECRET_KEY the server's, and are the clocks right?",
    1009: "A message was too large for the server; see its --websocket-max-message-size.",
    1011: "The application failed; see the server's log.",
    1012: "The server restarts; open the session again.",
}


class Link:
    """A connection that was greeted. `receive` must go on being called, also for `close` to end soon."""

    def __init__(self, opened: Opened, opening: Opening) -> None:
        self.where = opening.address.page_url
        self._stream = opened.stream
        self._max_message_bytes = opening.max_message_bytes
        self._connection = FrameConnection()
        self._frames = ServerFrameReader(opening.max_message_bytes)
        self._incoming = self._frames.feed(opened.left_over)
        self._closed_by_server = False
        self._receiver = Receiver(opening.max_message_bytes, patience=_MORE_VALUES)
        self._outgoing: asyncio.Queue[Sequence[Frame] | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._writer = asyncio.create_task(self._write())

    def send(self, frames: Sequence[Frame]) -> None:
        """Send a message after those that were given before; nothing happens where the connection has ended."""
        self._outgoing.put_nowait(frames)

    async def _write(self) -> None:
        try:
            while (frames := await self._outgoing.get()) is not None:
                await self._stream.write(_masked((opcode, bytes(payload)) for opcode, payload in frames))
        except StreamClosedError:
            log.debug("%s: the connection ended before everything was sent", self.where)

    def _answer(self, frames: Frames) -> None:
        """Send these control frames, if the connection has not ended."""
        if frames:
            with suppress(StreamClosedError):
                self._stream.write(_masked(frames))

    async def receive(self) -> Message:
        """The next message. Raises ConnectionLost at the connection's end, ProtocolViolation if it is not one."""
        while True:
            try:
                message = self._receiver.feed(*await self._next())
            except PeerError as error:
                raise self._failed(error) from error
            if message is not None:
                return message
            self._acknowledge()

    def _failed(self, error: PeerError) -> ConnectionLost | ProtocolViolation:
        """What the program gets; the server gets a Close frame, and whatever it still sends is dropped."""
        self._answer(self._connection.fail(error.close_code, error.what))
        self._incoming = iter(())
        if not isinstance(error, TooLargeError):
            return ProtocolViolation(f"the server broke the protocol: {error.what}", where=self.where)
        what = f"the server sent a message above this end's max_message_size of {self._max_message_bytes} bytes"
        return ConnectionLost(what, where=self.where, hint="Give a larger max_message_size.")

    async def _next(self) -> Incoming:
        """The next frame that holds a part of a message; ConnectionLost at the end, PeerError for what is no frame."""
        while not self._ended.is_set():
            for opcode, payload in self._incoming:
                if opcode < CLOSE:
                    return opcode, payload
                self._closed_by_server |= opcode == CLOSE and self._connection.state is ConnectionState.OPEN
                self._answer(self._connection.receive(opcode, payload))
                if opcode == CLOSE:
                    self._ended.set()
                    raise self._lost()
            try:
                data = await self._stream.read_bytes(READ_BYTES, partial=True)
            except StreamClosedError:
                self._ended.set()
                break
            if self._connection.state is not ConnectionState.FAILED:  # else it "MUST NOT continue" (section 7.1.7)
                self._incoming = self._frames.feed(data)
        raise self._lost()

    def _acknowledge(self) -> None:
        """Tell the server at once that a part of a message is here.

        The stock server does not send the next part before, and Linux waits 40 ms to join it with something to say.
        """
        sock = self._stream.socket
        if _QUICKACK is not None and sock is not None and sock.family != system.UNIX_FAMILY:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _lost(self) -> ConnectionLost:
        code, reason = self._connection.close_code, self._connection.close_reason
        if not self._closed_by_server or code is None:
            hint = "The server, or a proxy in between, has gone away without a word."
            return ConnectionLost("the connection was lost", where=self.where, hint=hint)
        said = f"{code} {reason}" if reason else f"{code}"
        what = f"the server closed the connection ({said})"
        return ConnectionLost(what, close_code=code, where=self.where, hint=_CLOSE_HINTS.get(code))

    async def close(self, code: int = 1000, why: str = "closed") -> None:
        """Send what is to be sent, say goodbye, and end; the connection is gone afterwards."""
        self._outgoing.put_nowait(None)
        done, _ = await asyncio.wait([self._writer], timeout=_FLUSH_PATIENCE_S)
        if not done:
            self._writer.cancel()
        try:
            self._answer(self._connection.close(code, why))
            async with asyncio.timeout(_CLOSE_PATIENCE_S):
                await self._ended.wait()
        except TimeoutError:
            log.debug("%s: no answer to the Close frame", self.where)
        finally:
            self._stream.close()

    async def hang_up(self, code: int = 1000, why: str = "closed") -> None:
        """As `close`, for one that calls `receive` no more; what still comes is dropped."""
        draining = asyncio.create_task(self._drained())
        try:
            await self.close(code, why)
        finally:
            draining.cancel()

    async def _drained(self) -> None:
        with suppress(ConnectionLost, PeerError):
            while True:
                await self._next()

    def abort(self) -> None:
        """End at once, without a word."""
        self._writer.cancel()
        self._stream.close()


def _masked(frames: Iterable[Incoming]) -> bytes:
    return b"".join(masked_frame(opcode, payload, os.urandom(4)) for opcode, payload in frames)


async def open_link(opening: Opening, now_s: float | None = None) -> Link:
    """A connection to the session, greeted by the server; CannotConnect or Refused says why there is none."""
    where = opening.address.page_url
    try:
        async with asyncio.timeout(opening.timeout_s):
            return await _greeted(Link(await shake_hands(opening, time.time() if now_s is None else now_s), opening))
    except TimeoutError:
        raise CannotConnect(
            f"no greeting within {opening.timeout_s:g} s",
            where=where,
            hint="Is this the address of a server for Bokeh applications? Where the application takes long to start,"
            " give a longer timeout_s.",
        ) from None


async def _greeted(link: Link) -> Link:
    try:
        message = await link.receive()
    except ConnectionLost as error:
        # The handshake was fine, so it is the token or the application: that is a refusal.
        link.abort()
        raise Refused(error.what, close_code=error.close_code, where=error.where, hint=error.hint) from None
    except BaseException:
        link.abort()
        raise
    if message.msgtype != messages.ACK:
        link.abort()
        raise ProtocolViolation(f"the server began with {message.msgtype} rather than ACK", where=link.where)
    return link
