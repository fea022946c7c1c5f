"""The client's side of RFC 6455 and of Bokeh's messages, sans I/O and as fast as Python allows.

The load generator must never be the slower end, so this reader does less than a real client: it checks no UTF-8 and
no reserved bits, and it leaves a message's content as bytes for anyone who wants to look.
It takes half the time of the reader in `app_server.protocol`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
MASKED = 0x80

Frame = tuple[int, bytes]
"""A frame's opcode and its payload."""


def frame(opcode: int, payload: bytes, mask: bytes | None = None) -> bytes:
    """One whole frame as bytes; a client masks (RFC 6455, section 5.3), a server does not."""
    size = len(payload)
    flag = 0 if mask is None else MASKED
    if size < 126:
        head = bytes((FIN | opcode, flag | size))
    elif size < 1 << 16:
        head = bytes((FIN | opcode, flag | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((FIN | opcode, flag | 127)) + size.to_bytes(8, "big")
    return head + payload if mask is None else head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload XORed with the repeated four bytes of the mask, as one operation on big integers."""
    size = len(payload)
    pad = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


class FrameReader:
    """Turns bytes as they arrive into whole frames; the parts of a fragmented one are joined."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._wanted = 0  # how long the pending bytes have to be before it is worth looking at them
        self._opcode = TEXT
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> list[Frame]:
        """Every frame that these bytes complete, in order."""
        if self._pending:
            self._pending += data
            if len(self._pending) < self._wanted:
                return []
            data = bytes(self._pending)
        frames: list[Frame] = []
        start, end = 0, len(data)
        self._wanted = 2
        while end - start >= 2:
            size, body = data[start + 1] & 0x7F, start + 2
            if size > 125:
                width = 2 if size == 126 else 8
                size, body = int.from_bytes(data[body : body + width], "big"), body + width
            if end < body or end - body < size:
                self._wanted = body - start if end < body else body - start + size
                break
            self._take(data[start], data[body : body + size], frames)
            start = body + size
            self._wanted = 2
        self._pending = bytearray(data[start:])
        return frames

    def _take(self, first: int, payload: bytes, frames: list[Frame]) -> None:
        opcode, final = first & 0x0F, bool(first & FIN)
        if opcode >= CLOSE or (final and opcode):
            frames.append((opcode, payload))
            return
        self._opcode = opcode or self._opcode
        self._parts.append(payload)
        if final:
            frames.append((self._opcode, b"".join(self._parts)))
            self._parts = []


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the server: what came, in how many frames, and when its last frame was there."""

    header: dict[str, Any]
    content: bytes
    buffers: tuple[bytes, ...]
    frames: int
    arrived_s: float

    @property
    def kind(self) -> str:
        """The type of the message, as `PATCH-DOC`."""
        return str(self.header["msgtype"])


class MessageReader:
    """Joins frames into messages: header, metadata, content, then two frames for each buffer."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._header: dict[str, Any] = {}
        self._wanted = 3

    def feed(self, payload: bytes, arrived_s: float) -> Message | None:
        """The message that this frame completes, or None."""
        if not self._frames:
            self._header = json.loads(payload)
            self._wanted = 3 + 2 * int(self._header.get("num_buffers", 0))
        self._frames.append(payload)
        if len(self._frames) < self._wanted:
            return None
        frames, self._frames = self._frames, []
        return Message(self._header, frames[2], tuple(frames[4::2]), len(frames), arrived_s)


def message(kind: str, content: bytes, msgid: str) -> bytes:
    """A client's message without buffers, its three masked frames in one piece."""
    header = b'{"msgid":"%s","msgtype":"%s"}' % (msgid.encode(), kind.encode())
    mask = os.urandom(4)
    return b"".join(frame(TEXT, part, mask) for part in (header, b"{}", content))


def set_value(model_id: str, value: float) -> bytes:
    """The content of a PATCH-DOC that sets one model's `value`, as BokehJS writes it."""
    event = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": "value", "new": value}
    return json.dumps({"events": [event]}, separators=(",", ":")).encode()


def find_models(document: Any, name: str) -> list[str]:
    """The ids of all models of this class in a document's JSON, in its order."""
    if isinstance(document, list):
        return [found for item in document for found in find_models(item, name)]
    if not isinstance(document, dict):
        return []
    own = [str(document["id"])] if document.get("name") == name and "id" in document else []
    return own + [found for item in document.values() for found in find_models(item, name)]
