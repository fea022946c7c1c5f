"""HTTP/1.1 for a client that trusts no server: requests to bytes, and bytes to an answer of bounded size. Sans I/O."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Final, TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names in lower case with their values, in the order in which they came."""

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 200

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what might end a line, or play with a terminal
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_LONGEST_CHUNK_LINE = 1024


class Malformed(Exception):
    """The received bytes are not HTTP."""


class NoAnswer(Malformed):
    """The connection was closed without a word."""


class TooLarge(Exception):
    """The answer is larger than anything that was asked for."""


def request(method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of a request without a body."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class ResponseReader:
    """Takes the bytes of one answer as they come; the answer is whole when `done`.

    Raises Malformed and TooLarge. Behind the head of a 101 everything is `left_over`: it belongs to the new protocol.
    """

    def __init__(self, method: str, max_body_bytes: int) -> None:
        self.status = 0
        self.reason = ""
        self.headers: Headers = ()
        self.body = bytearray()
        self.done = False
        self._method = method
        self._max_body_bytes = max_body_bytes
        self._pending = bytearray()
        self._length: int | None = None
        self._chunked = False
        self._chunk_left = 0
        self._in_trailer = False

    @property
    def head_done(self) -> bool:
        """Whether status and headers are there."""
        return self.status >= 200 or self.status == 101

    @property
    def left_over(self) -> bytes:
        """What came behind the answer."""
        return bytes(self._pending)

    def header(self, name: str) -> str | None:
        """The first header of this name, which is given in lower case."""
        return next((value for known, value in self.headers if known == name), None)

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._pending += data
        while not self.head_done:
            if not self._read_head():
                return
        if not self.done:
            self._read_body()

    def end(self) -> None:
        """The other end has closed the connection.

        Raises NoAnswer if nothing came, Malformed if the answer is cut off.
        """
        if self.done:
            return
        if self.head_done and self._length is None and not self._chunked:
            self.done = True
            return
        if not self.head_done and not self._pending:
            raise NoAnswer("the connection was closed without an answer")
        raise Malformed("the connection ended in the middle of the answer")

    def _read_head(self) -> bool:
        """Whether a whole head was there, and has been taken."""
        if not b"HTTP/1.".startswith(self._pending[:7]):
            raise Malformed(f"the answer begins with {bytes(self._pending[:20])!r}, which is not HTTP/1.1")
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            if len(self._pending) > MAX_HEAD_BYTES:
                raise TooLarge(f"the answer's headers have more than {MAX_HEAD_BYTES} bytes")
            return False
        if end > MAX_HEAD_BYTES:
            raise TooLarge(f"the answer's headers have more than {MAX_HEAD_BYTES} bytes")
        first, *lines = bytes(self._pending[:end]).split(b"\r\n")
        del self._pending[: end + 4]
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise Malformed(f"the answer begins with {first[:60]!r}")
        if len(lines) > MAX_HEADERS:
            raise TooLarge(f"the answer has {len(lines)} headers")
        self.status, self.reason = int(found[1]), (found[2] or b"").decode("latin-1")
        self.headers = tuple(_header(line) for line in lines)
        if self.head_done:
            self._prepare_body()
        return True

    def _prepare_body(self) -> None:
        self._chunked = (self.header("transfer-encoding") or "").lower().endswith("chunked")
        length = self.header("content-length")
        if length is not None and not self._chunked:
            if not re.fullmatch(r"[0-9]{1,15}", length):
                raise Malformed(f"Content-Length is {length[:40]!r}")
            self._length = int(length)
        bodiless = self._method == "HEAD" or self.status in (101, 204, 304)  # RFC 9112, section 6.3
        self.done = bodiless or self._length == 0

    def _read_body(self) -> None:
        if self._chunked:
            while not self.done and self._read_chunk():
                pass
        else:
            wanted = len(self._pending) if self._length is None else self._length - len(self.body)
            self._take(wanted)
            self.done = self._length is not None and len(self.body) >= self._length

    def _read_chunk(self) -> bool:
        """Whether something was taken of a body in chunks (RFC 9112, section 7.1)."""
        if self._chunk_left:
            self._chunk_left -= self._take(self._chunk_left)
            return self._chunk_left == 0
        if self._pending.startswith(b"\r\n") and not self._in_trailer:
            del self._pending[:2]  # the end of the chunk before
        end = self._pending.find(b"\r\n")
        if end < 0:
            if len(self._pending) > _LONGEST_CHUNK_LINE:
                raise Malformed("a chunk has no size")
            return False
        line = bytes(self._pending[:end])
        del self._pending[: end + 2]
        if self._in_trailer:
            self.done = not line
            return True
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise Malformed(f"a chunk has the size {line[:20]!r}")
        self._chunk_left = int(found[1], 16)
        self._in_trailer = self._chunk_left == 0
        return True

    def _take(self, size: int) -> int:
        """How much of the size was there to be taken into the body."""
        part = self._pending[:size]
        del self._pending[:size]
        self.body += part
        if len(self.body) > self._max_body_bytes:
            raise TooLarge(f"the answer has more than {self._max_body_bytes} bytes")
        return len(part)


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise Malformed(f"a header line is {line[:60]!r}")
    return name.decode("ascii").lower(), _CONTROL.sub("?", value.strip(b" \t").decode("latin-1"))


def decoded(body: bytes, coding: str, max_bytes: int) -> bytes:
    """The body without its gzip coding; as it is where it has none, or one that cannot be undone."""
    if coding.strip().lower() not in ("gzip", "x-gzip"):
        return body
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, max_bytes)
    except zlib.error:
        return body
