"""WebSocket frames from bytes (RFC 6455): all messages and control frames in what one system call has read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from app_server.errors import PeerError, TooLargeError
from app_server.protocol.deflate import Deflate
from app_server.protocol.websocket import BINARY, CLOSE, CONTINUATION, CONTROL, DATA, TEXT, unmask

_UNSENDABLE_CODES = frozenset({1004, 1005, 1006, 1015})  # RFC 6455, section 7.4.1
_WHOLE = frozenset({0x80 | TEXT, 0x80 | BINARY})
"""The first byte of a message that is one frame, uncompressed: nearly all are, and need no further check."""

Incoming: TypeAlias = tuple[int, bytes]
DiscardTest: TypeAlias = Callable[[int, bytes], bool]

DISCARDED: Final = -1
"""The opcode under which `FrameReader` reports a frame that it dropped with permission."""


class FrameReader:
    """Bytes of one client to its messages and control frames.

    `max_bytes` bounds a message. A larger one is refused, unless `may_discard(opcode, first bytes)` says that it can be
    dropped unread: its bytes are then skipped as they come, in however many fragments (Chromium sends a large message
    in many), and it is reported as `(DISCARDED, b"")`.
    """

    # "A client MUST mask all frames that it sends to the server" (section 5.1).
    _MASKED = 0x80
    _MASK_BYTES = 4

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
        """Each message and control frame that these bytes complete, in order; PeerError if they break the RFC."""
        pending, masked, mask_bytes = self._pending, self._MASKED, self._MASK_BYTES
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
                    self._reset()
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
            plain = first in _WHOLE and second & 0x80 == masked and self._opcode == CONTINUATION
            if not plain:
                self._check(first, second, opcode, length)
            start = head + mask_bytes
            end = start + length
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
            if plain:
                yield opcode, payload
            elif opcode >= CLOSE:
                if opcode == CLOSE:
                    self._check_close(payload)
                yield opcode, payload
            else:
                message = self._data(first, opcode, payload)
                if message is not None:
                    yield message

    def _check(self, first: int, second: int, opcode: int, length: int) -> None:
        if second & 0x80 != self._MASKED:
            raise PeerError("a client's frame is not masked" if self._MASKED else "a server's frame is masked")
        if opcode not in DATA and opcode not in CONTROL:
            raise PeerError(f"unknown opcode {opcode}")
        if first & 0x30 or (first & 0x40 and (self._deflate is None or opcode not in (TEXT, BINARY))):
            raise PeerError("reserved bits are set without an extension")
        if opcode in CONTROL and (length > 125 or not first & 0x80):
            raise PeerError("a control frame is fragmented or longer than 125 bytes")
        if opcode == CONTINUATION and self._opcode == CONTINUATION:
            raise PeerError("a continuation frame without a beginning")
        if opcode in (TEXT, BINARY) and self._opcode != CONTINUATION:
            raise PeerError("a new message inside an unfinished one")

    def _discard(self, first: int, opcode: int, beginning: bytes, length: int) -> None:
        """Skip the message of which a frame with this beginning is too large; PeerError if it must be refused."""
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
            self._opcode, self._compressed = opcode, bool(first & 0x40)
        self._fragments += payload
        if not final:
            return None
        whole = bytes(self._fragments)
        message = self._inflated(whole) if self._compressed else (self._opcode, whole)
        self._reset()
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

    def _reset(self) -> None:
        self._fragments, self._opcode, self._compressed, self._discarding = bytearray(), CONTINUATION, False, False

    def _check_close(self, payload: bytes) -> None:
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


class ServerFrameReader(FrameReader):
    """The same for the bytes of a server: "A server MUST NOT mask any frames that it sends to the client"."""

    _MASKED = 0
    _MASK_BYTES = 0
