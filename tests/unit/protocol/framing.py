"""Frames of a client, made and read by us and by another implementation."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.streams import StreamReader

from app_server.protocol.frame_reader import FrameReader
from app_server.protocol.websocket import (
    BINARY,
    TEXT,
    unmask,
)

MASK = b"\x01\x02\x03\x04"


def client_frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, length: int | None = None
) -> bytes:
    """One frame as a client sends it; `length` is what the header claims, if not the truth."""
    size = len(payload) if length is None else length
    first = bytes([(0x80 if fin else 0) | rsv | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head = first + bytes([bit | size])
    elif size < 65536:
        head = first + bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head = first + bytes([bit | 127]) + struct.pack("!Q", size)
    return head + (MASK + unmask(MASK, payload) if masked else payload)


def read(data: bytes, reader: FrameReader | None = None, step: int | None = None) -> list[tuple[int, bytes]]:
    """What a reader makes of these bytes, given to it `step` at a time."""
    reader = reader or FrameReader(1_000_000)
    step = step or max(1, len(data))
    return [item for start in range(0, len(data), step) for item in reader.feed(data[start : start + step])]


def from_websockets(
    frames: Iterable[Frame], extensions: list[PerMessageDeflate] | None = None, *, masked: bool = True
) -> bytes:
    """The bytes that the websockets library sends for these frames: as a client, or as a server without masks."""
    return b"".join(frame.serialize(mask=masked, extensions=extensions) for frame in frames)


def to_websockets(
    data: bytes, extensions: list[PerMessageDeflate] | None = None, *, masked: bool = False
) -> list[Frame]:
    """The frames that the websockets library reads from these bytes: as a client, or as a server with masks."""
    stream = StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    frames = []
    while stream.buffer:
        parser = Frame.parse(stream.read_exact, mask=masked, max_size=2**24, extensions=extensions)
        try:
            while True:
                next(parser)
        except StopIteration as end:
            frames.append(end.value)
    return frames


frames = st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=200)), max_size=6)
