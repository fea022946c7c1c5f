"""Compression of WebSocket messages, permessage-deflate (RFC 7692), for the server's side."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from app_server.errors import PeerError, TooLargeError

_DEFLATE_PARAMETER = re.compile(  # with no other values than RFC 7692, section 7.1, allows
    r'(?:server|client)_no_context_takeover|client_max_window_bits(?:\s*=\s*(?:[89]|1[0-5]|"(?:[89]|1[0-5])"))?'
)
_INFLATE_TAIL = b"\x00\x00\xff\xff"  # RFC 7692, section 7.2.2


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

    def compress(self, payload: bytes | memoryview) -> bytes:
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
