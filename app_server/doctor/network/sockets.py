"""An open WebSocket, as a browser has it."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress

from app_server.doctor.network.connection import READ_BYTES, reason_of
from app_server.doctor.network.frames import BadFrame, LenientFrameReader, Messages
from app_server.protocol import codec, messages
from app_server.protocol.connection import NO_STATUS, FrameConnection, Frames
from app_server.protocol.websocket import CLOSE, PING, masked_frame

_CLOSE_PATIENCE_S = 1.0


class Socket:
    """An open WebSocket that answers pings, as a browser does."""

    def __init__(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter, left_over: bytes) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._frames = LenientFrameReader()
        self._messages = Messages()
        self._connection = FrameConnection()
        self._waiting = self._frames.feed(left_over)
        self.pings = 0
        self.received_bytes = len(left_over)
        self.close_code: int | None = None
        self.close_reason = ""
        self.ended: str | None = None

    async def receive(self) -> str | None:
        """The type of the next message; None once the connection is over."""
        while self.ended is None:
            for opcode, payload in self._waiting:
                if opcode >= CLOSE:
                    self._control(opcode, payload)
                    if self.ended is not None:
                        return None
                else:
                    msgtype = self._messages.feed(opcode, payload)
                    if msgtype is not None:
                        return msgtype
            try:
                data = await self._incoming.read(READ_BYTES)
            except (OSError, ssl.SSLError) as error:
                self._end(reason_of(error))
                return None
            if not data:
                self._end("the connection was closed without a Close frame")
            self.received_bytes += len(data)
            self._waiting = self._frames.feed(data)
        return None

    def _control(self, opcode: int, payload: bytes) -> None:
        self.pings += opcode == PING
        self._send_all(self._connection.receive(opcode, payload))
        if opcode == CLOSE:
            self.close_code = self._connection.close_code or NO_STATUS
            self.close_reason = self._connection.close_reason[:200]
            self._end("a Close frame came")

    def _end(self, why: str) -> None:
        self.ended = why

    def request(self, msgtype: str) -> None:
        """Send a message without content."""
        for opcode, payload in codec.encode(msgtype):
            self._send(opcode, bytes(payload))

    async def pull(self) -> int | None:
        """How many bytes arrived up to the whole document; None if it never came."""
        before = self.received_bytes
        self.request(messages.PULL_DOC_REQ)
        while (msgtype := await self.receive()) is not None:
            if msgtype == messages.PULL_DOC_REPLY:
                return self.received_bytes - before
        return None

    def _send(self, opcode: int, payload: bytes) -> None:
        self._outgoing.write(masked_frame(opcode, payload, os.urandom(4)))

    def _send_all(self, frames: Frames) -> None:
        for opcode, payload in frames:
            self._send(opcode, payload)

    async def goodbye(self) -> None:
        """Close as a browser does, without waiting for long."""
        if self.ended is None:
            self._send_all(self._connection.close(1000))
        with suppress(TimeoutError, OSError, BadFrame):
            async with asyncio.timeout(_CLOSE_PATIENCE_S):
                while await self.receive() is not None:
                    pass
