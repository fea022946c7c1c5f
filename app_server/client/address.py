"""From the address of an application to that of its socket."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from app_server.client.errors import ClientError

Arguments: TypeAlias = Mapping[str, str | bytes | Iterable[str | bytes]]
"""Arguments of a request; a key may have several values."""

_SOCKET_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PAGE_SCHEMES: Final = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where an application is: its page, its socket with the arguments, and the Authorization header if it has one.

    Neither address contains a name or password, so both can be logged.
    """

    page_url: str
    socket_url: str
    authorization: str | None = None

    def session_page(self, session_id: str) -> str:
        """The page that shows this session."""
        return f"{self.page_url}?bokeh-session-id={quote(session_id, safe='')}"


def parse_address(url: str, arguments: Arguments | None = None) -> ServerAddress:
    """The address of the application at `url`, which may also be that of its socket (`ws://…/ws`).

    The query of `url` is added to the arguments; a name and password become HTTP basic authentication. Raises
    ClientError for anything else.
    """
    parts = _split(url)
    path = parts.path
    if parts.scheme in _PAGE_SCHEMES and path.endswith("/ws"):
        path = path.removesuffix("ws")
    host = parts.netloc.rpartition("@")[2]
    page_url = f"{_PAGE_SCHEMES.get(parts.scheme, parts.scheme)}://{host}{path or '/'}"
    socket_url = f"{_SOCKET_SCHEMES[parts.scheme]}://{host}{path.rstrip('/')}/ws"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([*pairs, *_pairs(arguments or {})])
    return ServerAddress(page_url, f"{socket_url}?{query}" if query else socket_url, _authorization(parts))


def _split(url: str) -> SplitResult:
    hint = "Give the address of an application, such as http://localhost:5006/sliders."
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _SOCKET_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port, or brackets that do not match
        usable = False
    if not usable:
        raise ClientError("this is not the address of an application", where=repr(url.rpartition("@")[2]), hint=hint)
    return parts


def _pairs(arguments: Arguments) -> list[tuple[str, str | bytes]]:
    return [
        (name, value)
        for name, values in arguments.items()
        for value in ([values] if isinstance(values, str | bytes) else values)
    ]


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + b64encode(pair.encode("utf-8")).decode("ascii")
