"""WebSocket frames from and to bytes (RFC 6455), with per-message compression (RFC 7692), for the server's side.

Written for the way this protocol uses the socket: several small frames in a row. A reader takes whatever bytes one
system call brought and yields every frame in them; a writer joins small frames, so that one message leaves in one
system call, and passes large payloads on without copying them.
"""

from __future__ import annotations

import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, TypeAlias

from app_server.errors import PeerError, TooLargeError

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

Payload: TypeAlias = bytes | memoryview

_DATA = frozenset({CONTINUATION, TEXT, BINARY})
_CONTROL = frozenset({CLOSE, PING, PONG})
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_UNSENDABLE_CODES = frozenset({1004, 1005, 1006, 1015})  # RFC 6455, section 7.4.1
_JOIN_BELOW_BYTES = 16 * 1024
_DEFLATE_PARAMETER = re.compile(  # with no other values than RFC 7692, section 7.1, allows
    r'(?:server|client)_no_context_takeover|client_max_window_bits(?:\s*=\s*(?:[89]|1[0-5]|"(?:[89]|1[0-5])"))?'
)
_INFLATE_TAIL = b"\x00\x00\xff\xff"  # RFC 7692, section 7.2.2


def accept_key(key: str) -> str:
    """The value of Sec-WebSocket-Accept that answers this Sec-WebSocket-Key (RFC 6455, section 4.2.2)."""
    return b64encode(sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()).decode("ascii")


def unmask(mask: bytes | bytearray, payload: bytes | bytearray) -> bytes:
    """The payload with its client's mask taken off (RFC 6455, section 5.3)."""
    size = len(payload)
    if size == 0:
        return b""
    # One operation on two long integers: some twenty times faster than a loop over the bytes.
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")).to_bytes(size, "little")


def frame_header(opcode: int, size: int, *, compressed: bool = False) -> bytes:
    """The header of a final, unmasked frame of `size` bytes."""
    first = 0x80 | (0x40 if compressed else 0) | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a Close frame; the reason is cut to what a control frame can hold."""
    text = reason.encode("utf-8")[:123].decode("utf-8", "ignore").encode("utf-8")
    return struct.pack("!H", code) + text


def serialize(frames: Iterable[tuple[int, Payload]], deflate: Deflate | None = None) -> list[Payload]:
    """The bytes of these frames as chunks to write in order: small frames joined, large payloads untouched."""
    chunks: list[Payload] = []
    small: list[Payload] = []
    for opcode, payload in frames:
        compressed = deflate is not None and opcode in _DATA
        if compressed and deflate is not None:
            payload = deflate.compress(payload)
        size = payload.nbytes if isinstance(payload, memoryview) else len(payload)
        small.append(frame_header(opcode, size, compressed=compressed))
        if size < _JOIN_BELOW_BYTES:
            small.append(payload)
        else:
            chunks.append(b"".join(small))
            chunks.append(payload)
            small = []
    if small:
        chunks.append(b"".join(small))
    return chunks


@dataclass(frozen=True, slots=True)
class DeflateOffer:
    """What was agreed on compression; `answer` is the value of Sec-WebSocket-Extensions."""

    answer: str
    client_context_takeover: bool


def negotiate_deflate(offered: str) -> DeflateOffer | None:
    """The first acceptable permessage-deflate offer of a Sec-WebSocket-Extensions header (RFC 7692, section 7.1).

    Our side compresses each message afresh: a shared window saves little here and costs memory for each connection.
    """
    for extension in offered.split(","):
        name, *parameters = [part.strip().lower() for part in extension.split(";")]
        keys = {parameter.partition("=")[0].strip() for parameter in parameters}
        known = all(map(_DEFLATE_PARAMETER.fullmatch, parameters))
        if name == "permessage-deflate" and known and len(keys) == len(parameters):
            answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            return DeflateOffer(answer, client_context_takeover=False)
    return None


class Deflate:
    """Compression for one connection; `level` and `mem_level` as in zlib."""

    def __init__(self, level: int = 6, mem_level: int = 8) -> None:
        self._level = level
        self._mem_level = mem_level

    def compress(self, payload: Payload) -> bytes:
        """The payload of a compressed message."""
        deflater = zlib.compressobj(self._level, zlib.DEFLATED, -zlib.MAX_WBITS, self._mem_level)
        return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def decompress(self, payload: bytes, max_bytes: int) -> bytes:
        """The message behind a compressed payload; PeerError 1009 where it is larger than `max_bytes`."""
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(payload + _INFLATE_TAIL, max_bytes + 1)
        except zlib.error:
            raise PeerError("a compressed frame cannot be decompressed", close_code=1007) from None
        if len(data) > max_bytes:
            raise TooLargeError(max_bytes, len(data))
        return data

    def first_bytes(self, payload: bytes, count: int) -> bytes:
        """The first bytes, at most `count`, of the message behind a compressed payload that may be cut off."""
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload, count)
        except zlib.error:
            raise PeerError("a compressed frame cannot be decompressed", close_code=1007) from None


Incoming: TypeAlias = tuple[int, bytes]
DiscardTest: TypeAlias = Callable[[int, bytes], bool]

DISCARDED: Final = -1
"""The opcode under which `FrameReader` reports a frame that it dropped because its owner allowed it to."""


class FrameReader:
    """Bytes of one client to its messages and control frames.

    `max_bytes` bounds a message. A larger one is refused, unless `may_discard(opcode, first bytes)` says that it can be
    dropped unread: its bytes are then skipped as they come, in however many fragments (Chromium sends a large message
    in many), and it is reported as `(DISCARDED, b"")`.
    """

    _PREFIX_BYTES = 4096
    """How much of an oversized message is looked at before it is refused or discarded."""

    def __init__(
        self,
        max_bytes: int,
        *,
        deflate: Deflate | None = None,
        may_discard: DiscardTest = lambda opcode, prefix: False,
    ) -> None:
        self._max_bytes = max_bytes
        self._deflate = deflate
        self._may_discard = may_discard
        self._pending = bytearray()
        self._fragments = bytearray()  # a list of them would take forty times the memory of one-byte fragments
        self._opcode = CONTINUATION
        self._compressed = False
        self._discarding = False
        self._skip_bytes: int | None = None
        self._skip_final = False

    @property
    def buffered_bytes(self) -> int:
        """What is kept of frames that have not arrived whole."""
        return len(self._pending) + len(self._fragments)

    def feed(self, data: bytes) -> Iterator[Incoming]:
        """Each message and control frame that these bytes complete, in order; PeerError where they break the RFC."""
        pending = self._pending
        pending += data
        while True:
            if self._skip_bytes is not None:
                skipped = min(self._skip_bytes, len(pending))
                del pending[:skipped]
                self._skip_bytes -= skipped
                if self._skip_bytes:
                    return
                self._skip_bytes = None
                if self._skip_final:
                    self._begin_anew()
                    yield DISCARDED, b""
            size = len(pending)
            if size < 2:
                return
            first, second = pending[0], pending[1]
            length, head = second & 0x7F, 2
            if length == 126:
                if size < 4:
                    return
                length, head = int.from_bytes(pending[2:4], "big"), 4
            elif length == 127:
                if size < 10:
                    return
                length, head = int.from_bytes(pending[2:10], "big"), 10
            opcode = first & 0x0F
            self._check(first, second, opcode, length)
            start, end = head + 4, head + 4 + length
            if opcode < CLOSE and (self._discarding or length + len(self._fragments) > self._max_bytes):
                if not self._discarding:
                    seen = min(end, start + self._PREFIX_BYTES)
                    if size < seen:
                        return
                    self._discard(first, opcode, unmask(pending[head:start], pending[start:seen]), length)
                del pending[:start]
                self._skip_bytes, self._skip_final = length, bool(first & 0x80)
                continue
            if size < end:
                return
            payload = unmask(pending[head:start], pending[start:end])
            del pending[:end]
            if opcode >= CLOSE:
                if opcode == CLOSE:
                    _check_close(payload)
                yield opcode, payload
            else:
                message = self._data(first, opcode, payload)
                if message is not None:
                    yield message

    def _check(self, first: int, second: int, opcode: int, length: int) -> None:
        if not second & 0x80:
            raise PeerError("a client's frame is not masked")  # RFC 6455, section 5.1
        if opcode not in _DATA and opcode not in _CONTROL:
            raise PeerError(f"unknown opcode {opcode}")
        if first & 0x30 or (first & 0x40 and (self._deflate is None or opcode not in (TEXT, BINARY))):
            raise PeerError("reserved bits are set without an extension")
        if opcode in _CONTROL and (length > 125 or not first & 0x80):
            raise PeerError("a control frame is fragmented or longer than 125 bytes")
        if opcode == CONTINUATION and self._opcode == CONTINUATION:
            raise PeerError("a continuation frame without a beginning")
        if opcode in (TEXT, BINARY) and self._opcode != CONTINUATION:
            raise PeerError("a new message inside an unfinished one")

    def _discard(self, first: int, opcode: int, beginning: bytes, length: int) -> None:
        """Skip the message of which a frame, beginning so, is too large; PeerError where it has to be refused."""
        if opcode != CONTINUATION:
            self._opcode, self._compressed = opcode, bool(first & 0x40)
        prefix = (bytes(self._fragments[: self._PREFIX_BYTES]) + beginning)[: self._PREFIX_BYTES]
        if self._compressed and self._deflate is not None:
            prefix = self._deflate.first_bytes(prefix, self._PREFIX_BYTES)
        if not self._may_discard(self._opcode, prefix):
            whole = bool(first & 0x80) and not self._compressed
            raise TooLargeError(self._max_bytes, length + len(self._fragments), whole=whole)
        self._fragments = bytearray()
        self._discarding = True

    def _data(self, first: int, opcode: int, payload: bytes) -> Incoming | None:
        final = first & 0x80
        if opcode != CONTINUATION:
            if final and not first & 0x40:
                return opcode, payload
            self._opcode, self._compressed = opcode, bool(first & 0x40)
        self._fragments += payload
        if not final:
            return None
        whole = bytes(self._fragments)
        message = self._inflated(whole) if self._compressed else (self._opcode, whole)
        self._begin_anew()
        return message

    def _inflated(self, packed: bytes) -> Incoming:
        assert self._deflate is not None  # or the compression bit would have been refused
        try:
            return self._opcode, self._deflate.decompress(packed, self._max_bytes)
        except PeerError as error:
            too_large = error.close_code == 1009
            if too_large and self._may_discard(self._opcode, self._deflate.first_bytes(packed, self._PREFIX_BYTES)):
                return DISCARDED, b""
            raise

    def _begin_anew(self) -> None:
        self._fragments, self._opcode, self._compressed, self._discarding = bytearray(), CONTINUATION, False, False


def _check_close(payload: bytes) -> None:
    """Refuse a Close frame that the RFC does not allow (RFC 6455, sections 5.5.1, 7.4.1 and 7.4.2)."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or code in _UNSENDABLE_CODES or not 1000 <= code < 5000:
        raise PeerError("a Close frame has no valid code")
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise PeerError("the reason of a Close frame is not UTF-8", close_code=1007) from None
