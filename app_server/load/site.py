"""Where a server is, and single requests to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app_server.load.pages import Response, parse_response

REPLY_TIMEOUT_S = 60.0
HANDSHAKE_TIMEOUT_S = 15.0
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
READ_BYTES = 256 * 1024


@dataclass(frozen=True)
class Site:
    """Where a server is, and what every request to it says.

    `authority` is its name in Host, by default host and port; `origin` is what pages from there send, "" for none.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    authority: str = ""
    origin: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, path: str, more: Mapping[str, str]) -> bytes:
        """A GET of this path with these headers besides the site's."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.authority or f'{self.host}:{self.port}'}"]
        given = [*self.headers, *more.items()]
        lines += [f"{name}: {value}" for name, value in given if name.lower() != "cookie"]
        # One header, whether cookies were given for all requests or set by a page (RFC 6265, section 5.4).
        cookies = [value for name, value in given if name.lower() == "cookie"]
        lines += [f"Cookie: {'; '.join(cookies)}"] if cookies else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def get(site: Site, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response to one GET on a connection of its own. ValueError for what is not HTTP."""
    more = {"Connection": "close", **(headers or {})}
    async with asyncio.timeout(REPLY_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(site.host, site.port, **tls_options(site))
        try:
            writer.write(site.request(path, more))
            raw = await _all_of(reader)
        finally:
            writer.close()
    return parse_response(raw)


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    """Everything until the connection ends. ValueError if that is too much."""
    parts, size = [], 0
    while part := await reader.read(READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            raise ValueError(f"the answer has more than {MAX_RESPONSE_BYTES} bytes")
    return b"".join(parts)


def tls_options(site: Site) -> dict[str, Any]:
    """What asyncio needs to know to connect to the site."""
    if site.tls is None:
        return {}
    return {"ssl": site.tls, "server_hostname": site.host, "ssl_handshake_timeout": HANDSHAKE_TIMEOUT_S}
