"""The load generator of the package, for servers on this machine: pages, sockets and tabs by their port."""

from __future__ import annotations

import ssl

from app_server.load import client
from app_server.load import site as sites
from app_server.load.client import Closed, Connection, Refused, Tab
from app_server.load.pages import Response
from app_server.load.site import REPLY_TIMEOUT_S, Site

__all__ = [
    "HOST",
    "REPLY_TIMEOUT_S",
    "Closed",
    "Connection",
    "Refused",
    "Tab",
    "connect",
    "get",
    "join",
    "open_page",
    "open_tab",
]

HOST = "127.0.0.1"


async def get(
    port: int, path: str, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> Response:
    """The response to one GET on a connection of its own."""
    return await sites.get(Site(HOST, port, tls), path, headers)


async def open_page(port: int, path: str, tls: ssl.SSLContext | None = None) -> tuple[str, str]:
    """The token and the WebSocket's path of a new session."""
    page = await client.open_page(Site(HOST, port, tls), path)
    return page.token, page.socket_path


async def connect(port: int, path: str, token: str, tls: ssl.SSLContext | None = None) -> Connection:
    """A WebSocket for this token whose ACK has come."""
    return await client.connect(Site(HOST, port, tls), path, token)


async def join(port: int, path: str, token: str, tls: ssl.SSLContext | None = None) -> Tab:
    """One more tab of a session that exists: socket, ACK, document pulled."""
    return await client.join(Site(HOST, port, tls), path, token)


async def open_tab(port: int, path: str, tls: ssl.SSLContext | None = None) -> Tab:
    """A new session, as a browser opens it: page, socket, ACK, document pulled."""
    return await client.open_tab(Site(HOST, port, tls), path)
