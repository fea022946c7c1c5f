"""The records of a session's journal, and how the body of one is laid out in bytes.

A body is: u32 length and JSON of the fields; u32 length and the content, a message of the protocol without its header;
u16 number of buffers; each buffer is u16 length and id, u32 length and bytes. All numbers are big-endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from app_server.store.errors import TooLarge, Unreadable

_U16: Final = struct.Struct(">H")
_U32: Final = struct.Struct(">I")


class Kind(IntEnum):
    """What a record says."""

    OPEN = 1
    """Whose session this is, and what its application was built with. The first record, and only that."""
    WHOLE = 2
    """The document as it was then: what came before is history."""
    CHANGES = 3
    """What changed since the last record."""


Buffers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: plain values by name, JSON that the protocol's codec reads, and the arrays it refers to by id."""

    kind: Kind
    fields: Mapping[str, Any] = field(default_factory=dict)
    content: bytes = b""
    buffers: Buffers = ()


class Part(NamedTuple):
    """A document or a change of it: the content and the arrays that it refers to by id."""

    content: bytes
    buffers: tuple[tuple[str, bytes], ...]


def pack(fields: Mapping[str, Any], content: bytes = b"", buffers: Buffers = ()) -> bytes:
    """The body of a record.

    Raises TypeError or ValueError if the fields are no plain values, TooLarge if a length does not fit its number.
    """
    text = json.dumps(dict(fields), separators=(",", ":")).encode("ascii")
    pieces = [_length(_U32, text), text, _length(_U32, content), content, _length(_U16, buffers)]
    for name, data in buffers:
        raw = name.encode()
        pieces += (_length(_U16, raw), raw, _length(_U32, data), data)
    return b"".join(pieces)


def unpack(body: bytes | memoryview) -> tuple[dict[str, Any], Part]:
    """The fields, and the content with its buffers; raises Unreadable unless the body is exactly one of `pack`."""
    reader = _Reader(memoryview(body))
    fields = _read_fields(reader.take(reader.number(_U32)))
    content = bytes(reader.take(reader.number(_U32)))
    buffers = []
    # A number of buffers allocates nothing: each of them has to be there.
    for _ in range(reader.number(_U16)):
        name = _read_text(reader.take(reader.number(_U16)))
        buffers.append((name, bytes(reader.take(reader.number(_U32)))))
    if reader.left:
        raise Unreadable(f"a record has {reader.left} bytes after its end")
    return fields, Part(content, tuple(buffers))


class _Reader:
    """Bytes, taken from the front. Lengths are compared with what is there before anything is allocated."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._view) - self._at

    def take(self, count: int) -> memoryview:
        if count > self.left:
            raise Unreadable(f"a record is cut off: {count} bytes are announced, {self.left} are there")
        start, self._at = self._at, self._at + count
        return self._view[start : self._at]

    def number(self, layout: struct.Struct) -> int:
        value: int = layout.unpack(self.take(layout.size))[0]
        return value


def _length(layout: struct.Struct, data: Sequence[Any] | bytes) -> bytes:
    limit = 256**layout.size - 1
    if len(data) > limit:
        raise TooLarge("a part of a record", limit_bytes=limit, size_bytes=len(data))
    return layout.pack(len(data))


def _read_fields(view: memoryview) -> dict[str, Any]:
    try:
        fields = json.loads(_read_text(view))
    # Of an array in an array in an array...
    except (ValueError, RecursionError):
        raise Unreadable("a record's fields are not JSON") from None
    if not isinstance(fields, dict):
        raise Unreadable("a record's fields are not an object")
    return fields


def _read_text(view: memoryview) -> str:
    try:
        return str(view, "utf-8")
    except UnicodeDecodeError:
        raise Unreadable("a text in a record is not UTF-8") from None
