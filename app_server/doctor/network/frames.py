"""WebSocket frames for the client's side (RFC 6455): masked on the way out, bounded on the way in. Sans I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app_server.protocol.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame_header, unmask

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""A document with all its data may be large; more than this no page would like to load."""


class BadFrame(Exception):
    """What came is no frame of a server."""


def masked(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """A final frame from a client; `mask` are four random bytes."""
    header = bytearray(frame_header(opcode, len(payload)))
    header[1] |= 0x80
    return bytes(header) + mask + unmask(mask, payload)  # masking twice gives the same again


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, or one control frame."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int | None:
        """The code of a Close frame; None where it has none, or is something else."""
        if self.opcode != CLOSE or len(self.payload) < 2:
            return None
        return int.from_bytes(self.payload[:2], "big")

    @property
    def text(self) -> str:
        """The payload, or the reason of a Close frame, as text."""
        return (self.payload[2:] if self.opcode == CLOSE else self.payload).decode("utf-8", "replace")


class ServerFrames:
    """The frames in the bytes that a server sends, fragments joined."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._parts = bytearray()
        self._opcode = CONTINUATION

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Each frame that these bytes complete; BadFrame for what is none."""
        self._pending += data
        while (found := self._next()) is not None:
            final, opcode, payload = found
            if opcode in (CLOSE, PING, PONG):
                yield Frame(opcode, payload)
                continue
            if opcode != CONTINUATION:
                self._opcode, self._parts = opcode, bytearray()
            self._parts += payload
            if len(self._parts) > self._max_bytes:
                raise BadFrame(f"a message has more than {self._max_bytes} bytes")
            if final:
                yield Frame(self._opcode, bytes(self._parts))
                self._parts = bytearray()

    def _next(self) -> tuple[bool, int, bytes] | None:
        pending = self._pending
        if len(pending) < 2:
            return None
        first, length, start = pending[0], pending[1], 2
        opcode = first & 0x0F
        if first & 0x70 or length & 0x80 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise BadFrame(f"a frame begins with {bytes(pending[:2]).hex()}")
        if length in (126, 127):
            start = 4 if length == 126 else 10
            if len(pending) < start:
                return None
            length = int.from_bytes(pending[2:start], "big")
        if length > self._max_bytes:
            raise BadFrame(f"a frame has {length} bytes")
        if len(pending) < start + length:
            return None
        payload = bytes(pending[start : start + length])
        del pending[: start + length]
        return bool(first & 0x80), opcode, payload


class Messages:
    """The types of the protocol's messages in the data frames of a connection."""

    def __init__(self) -> None:
        self._left = 0
        self._type = ""

    def feed(self, frame: Frame) -> str | None:
        """The type of the message that this frame completes. BadFrame where it is none of the protocol's."""
        if self._left == 0:
            self._type, buffers = _read_header(frame)
            self._left = 2 + 2 * buffers  # metadata and content, then header and payload of each buffer
            return None
        self._left -= 1
        return self._type if self._left == 0 else None


def _read_header(frame: Frame) -> tuple[str, int]:
    try:
        header = json.loads(frame.payload)
        msgtype, buffers = header["msgtype"], header.get("num_buffers", 0)
        if isinstance(msgtype, str) and type(buffers) is int and buffers >= 0:
            return msgtype, buffers
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise BadFrame(f"a message begins with {frame.payload[:40]!r}, which is not Bokeh's protocol")
