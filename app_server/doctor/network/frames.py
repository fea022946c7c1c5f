"""What a server sends through a WebSocket, read by a client that does not insist on every rule. Sans I/O."""

from __future__ import annotations

import json
from typing import Final, NoReturn

from app_server.protocol.frame_reader import ServerFrameReader
from app_server.protocol.websocket import BINARY, CONTROL, DATA, TEXT

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""A document with all its data may be large; more than this no page would like to load."""


class BadFrame(Exception):
    """The received bytes are not a server's frame."""


class LenientFrameReader(ServerFrameReader):
    """The messages and control frames of a server. BadFrame says what is none; other faults are overlooked.

    What the doctor is to find out is why the socket does not work, so it reads as much as can be read.
    """

    _PREFIX_BYTES = 0

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        super().__init__(max_bytes)

    def _check(self, first: int, second: int, opcode: int, length: int) -> None:
        if first & 0x70 or second & 0x80 or opcode not in DATA | CONTROL:
            raise BadFrame(f"a frame begins with {bytes((first, second)).hex()}")
        if length > self._max_bytes:
            raise BadFrame(f"a frame has {length} bytes")
        if opcode in (TEXT, BINARY):
            self._reset()  # whatever was not finished

    def _discard(self, first: int, opcode: int, beginning: bytes, length: int) -> NoReturn:
        if length > self._max_bytes:
            raise BadFrame(f"a frame has {length} bytes")
        raise BadFrame(f"a message has more than {self._max_bytes} bytes")

    def _check_close(self, payload: bytes) -> None:
        """Take any."""


class Messages:
    """The types of the protocol's messages in the data frames of a connection.

    As BokehJS does, it drops a frame of the wrong kind inside a message: `codec.realignment` sends such frames to a
    page that asks for its document late.
    """

    def __init__(self) -> None:
        self._left = 0
        self._buffers = 0
        self._type = ""

    def feed(self, opcode: int, payload: bytes) -> str | None:
        """The type of the message that this frame completes. BadFrame where it is none of the protocol's."""
        if self._left == 0:
            self._type, self._buffers = _read_header(payload)
            self._left = 2 + 2 * self._buffers  # metadata and content, then header and payload of each buffer
            return None
        if (opcode == BINARY) == self._expects_bytes:
            self._left -= 1
        return self._type if self._left == 0 else None

    @property
    def _expects_bytes(self) -> bool:
        """Whether the payload of a buffer is next."""
        return self._left % 2 == 1 and self._left < 2 * self._buffers


def _read_header(payload: bytes) -> tuple[str, int]:
    try:
        header = json.loads(payload)
        msgtype, buffers = header["msgtype"], header.get("num_buffers", 0)
        if isinstance(msgtype, str) and type(buffers) is int and buffers >= 0:
            return msgtype, buffers
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise BadFrame(f"a message begins with {payload[:40]!r}, which is not Bokeh's protocol")
