"""What the load generator must know about HTTP and an application's page, sans I/O."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass

TOKEN = re.compile(r'"token"\s*:\s*"([^"]+)"')
APP_PATH = re.compile(r'embed_items\(\s*[^,()]+,\s*[^,()]+,\s*("(?:[^"\\]|\\.)*")')
ASSET = re.compile(r"""<(?:script|link)\b[^>]*?\b(?:src|href)\s*=\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Response:
    """An HTTP response: the body is decoded of chunks but not of compression; `wire_bytes` is all that came.

    Of headers with the same name there is the last, but `cookies` has each Set-Cookie.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    wire_bytes: int
    cookies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body as text, whether it came as gzip or plain. ValueError if it is not what its header says."""
        if self.headers.get("content-encoding") != "gzip":
            return self.body.decode(errors="replace")
        try:
            return gzip.decompress(self.body).decode(errors="replace")
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"the answer is not gzip, as it says: {error}") from None

    @property
    def immutable(self) -> bool:
        """Whether a browser may keep this for good and never ask again."""
        return "immutable" in self.headers.get("cache-control", "")

    @property
    def fresh(self) -> bool:
        """Whether a browser may use its copy without asking."""
        return bool(re.search(r"max-age=0*[1-9]", self.headers.get("cache-control", "")))

    @property
    def validators(self) -> dict[str, str]:
        """The request headers that ask whether the copy is still good."""
        pairs = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
        return {ask: self.headers[name] for name, ask in pairs if name in self.headers}


def parse_response(raw: bytes) -> Response:
    """The response in all the bytes of a connection that was closed after it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if not status.startswith("HTTP/1.") or not status[9:12].isdigit():
        raise ValueError(f"the answer begins with {status[:60]!r}, which is not HTTP/1.1")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = dict(pairs)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = join_chunks(body)
    cookies = tuple(value for name, value in pairs if name == "set-cookie")
    return Response(int(status[9:12]), headers, body, len(raw), cookies)


def join_chunks(body: bytes) -> bytes:
    """The body without its chunks' sizes (RFC 9112, section 7.1)."""
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        parts.append(rest[:length])
        body = rest[length + 2 :]
    return b"".join(parts)


def token_of(page: str) -> str:
    """The session's token in an application's page."""
    found = TOKEN.search(page)
    if found is None:
        raise ValueError(f"the page carries no token; it begins: {page[:200]!r}")
    return found[1]


def socket_path(page: str, page_path: str) -> str:
    """Where the page's script opens its WebSocket: at the page's app path, or else below the page's own address."""
    found = APP_PATH.search(page)
    app_path = json.loads(found[1]) if found else page_path
    return app_path.rstrip("/") + "/ws"


def assets_of(page: str) -> list[str]:
    """The addresses on the page's own server of its scripts and style sheets, in order, each once."""
    return [path for path in dict.fromkeys(ASSET.findall(page)) if path.startswith("/") and not path.startswith("//")]
