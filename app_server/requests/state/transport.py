"""What differs between servers that listen themselves and those that another program listens for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app_server.protocol.deflate import Deflate
from app_server.websocket.owner import ClientSocket
from app_server.websocket.raw_socket import RawSocket


@dataclass(frozen=True)
class Transport:
    """How requests and messages reach a server.

    `new_socket` makes the opened socket of what a request's connection leaves when it is detached. With `same_host`,
    nothing but the address that a request is for says which pages are the server's own.
    """

    new_socket: Callable[[Any, Deflate | None], ClientSocket] = RawSocket
    same_host: bool = False


TORNADO = Transport()
"""Tornado listens, and sockets are taken over from it."""
