"""A connection of which a test chooses every byte, and reads every answer."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.support.client import Answer
from tests.support.waiting import PATIENCE_S, patience


def handshake_headers(token: str = "none") -> dict[str, str]:
    """The headers of a right opening handshake for a session's token."""
    key = base64.b64encode(os.urandom(16)).decode()
    return {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": f"bokeh, {token}",
    }  # fmt: skip


def head(target: str, headers: dict[str, str] | None = None, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """A request without a body."""
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def session_of(token: str) -> str:
    """The session's id in a token."""
    payload = token.partition(".")[0]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(found["session_id"])


@dataclass
class Raw:
    """A connection to a server; `source` is the loopback address that it comes from."""

    url: str
    source: str = "127.0.0.1"
    received: bytes = field(default=b"", init=False)
    """What has come and belongs to no answer yet."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.host = parts.netloc
        self.sock = socket.create_connection(("127.0.0.1", parts.port or 80), patience(PATIENCE_S), (self.source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            self.sock = ssl._create_unverified_context().wrap_socket(self.sock, server_hostname=parts.hostname)

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send these bytes; what the other end no longer wants is lost silently."""
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def ask(self, target: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer | None:
        """The answer to one request; None if the connection ends without one."""
        self.send(head(target, {"Host": self.host, **(headers or {})}, method))
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer | None:
        """The next answer, whole; None if the connection has ended before it began."""
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            if not self._more():
                assert not self.received, self.received
                return None
        lines = self.received[:end].decode("latin-1").split("\r\n")
        self.received = self.received[end + 4 :]
        status = int(lines[0].split()[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if status == 100:
            return self.answer(method)
        return Answer(status, headers, b"" if method == "HEAD" or status in (101, 204, 304) else self._body(headers))

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self.take(int(headers["content-length"]))
        while self._more():
            pass
        return self.take(len(self.received))

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.received:
                assert self._more()
            line, _, self.received = self.received.partition(b"\r\n")
            size = int(re.split(rb"[; ]", line)[0], 16)
            body += self.take(size)
            self.take(2)
            if not size:
                return body

    def take(self, size: int) -> bytes:
        """The next bytes, so many of them."""
        while len(self.received) < size:
            assert self._more(), f"{size - len(self.received)} bytes of an answer are missing"
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def _more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            return False
        self.received += data
        return bool(data)

    def rest(self) -> bytes:
        """All that still comes until the other end closes the connection; TimeoutError if it does not."""
        while self._more():
            pass
        rest, self.received = self.received, b""
        return rest


class RawSocket:
    """A WebSocket on a connection that has been upgraded, with the protocol's messages."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._numbers = iter(range(1, 1_000_000))

    def request(self, msgtype: str, content: object) -> list[Any]:
        """The contents of all messages up to the answer to this one, which is the last; ACK comes before."""
        msgid = str(next(self._numbers))
        header = {"msgid": msgid, "msgtype": msgtype}
        self._raw.send(b"".join(_frame(json.dumps(part).encode()) for part in (header, {}, content)))
        contents: list[Any] = []
        while True:
            header = json.loads(self._text())
            self._text()
            contents.append(json.loads(self._text()))
            assert not header.get("num_buffers")
            if header.get("reqid") == msgid:
                return contents

    def _text(self) -> bytes:
        while True:
            first, size = self._raw.take(2)
            size &= 0x7F
            if size > 125:
                size = int.from_bytes(self._raw.take(2 if size == 126 else 8))
            payload = self._raw.take(size)
            if first & 0x0F in (0x1, 0x2):
                return payload
            assert first & 0x0F != 0x8, f"the socket was closed: {payload!r}"

    def close(self) -> None:
        """Say goodbye, and read until the other end has closed too."""
        self._raw.send(_frame(b"\x03\xe8", 0x8))
        self._raw.rest()


def _frame(payload: bytes, opcode: int = 0x1) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload
