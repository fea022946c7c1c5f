"""An ASGI scope as the request that Tornado's handlers know; plain values, without I/O.

https://asgi.readthedocs.io/en/latest/specs/www.html, version 2.5.
"""

from __future__ import annotations

import ipaddress
import socket
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote

from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from app_server import system
from app_server.protocol.handshake import VERSION

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

_PATH_CHARACTERS: Final = "/!$&'()*+,;=:@"
"""What RFC 3986, section 3.3, allows in a path besides letters, digits and "-._~"."""

_HANDSHAKE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": VERSION,
    "Sec-WebSocket-Key": b64encode(bytes(16)).decode("ascii"),
}
"""What the ASGI server has checked already; over HTTP/2 (RFC 8441) a client sends nothing of it."""

_OF_THE_SERVER: Final = ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Content-Length", "Transfer-Encoding")
"""Headers of a handshake that the ASGI server has answered itself, or that come in the scope."""


@dataclass
class Peer:
    """Who is at the other end, as Tornado's requests look for it in their connection's `context`.

    The ASGI server says it, and has decided whether proxies are believed.
    """

    remote_ip: str
    protocol: str
    address: tuple[Any, ...]
    address_family: int

    @classmethod
    def of(cls, scope: Scope) -> Peer:
        """The client of this scope; without one, such as on a Unix socket, it has no address."""
        host, port = (scope.get("client") or (None, None))[:2]
        said = str(scope.get("scheme") or "http")
        scheme = {"ws": "http", "wss": "https"}.get(said, said)
        if not host:
            return cls("", scheme, (), system.UNIX_FAMILY)
        return cls(str(host), scheme, (str(host), port or 0), _family(str(host)))


def _family(host: str) -> int:
    try:
        return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:  # what a proxy has named
        return socket.AF_UNSPEC


class AsgiRequest(HTTPServerRequest):
    """A request with what only ASGI has: `scope`, `root_path`, and the `user` and `state` that middleware has set."""

    def __init__(self, scope: Scope, connection: HTTPConnection) -> None:
        query = scope.get("query_string", b"").decode("latin-1")
        target = full_path(scope) + (f"?{query}" if query else "")
        version = f"HTTP/{scope.get('http_version', '1.1')}"
        if is_websocket(scope):
            version = "HTTP/1.1"
        method = "GET" if is_websocket(scope) else scope["method"]
        start_line = RequestStartLine(method, target, version)
        super().__init__(connection=connection, start_line=start_line, headers=headers_of(scope), body=b"")
        self.scope = scope
        self.root_path = root_path(scope)
        self.user: Any = scope.get("user")
        self.state: Mapping[str, Any] = scope.get("state") or {}

    def set_user(self, user: Any) -> None:
        """Let hooks see the user whom a policy has found."""
        self.user = user


def is_websocket(scope: Scope) -> bool:
    """Whether this is the scope of a WebSocket."""
    return bool(scope["type"] == "websocket")


def root_path(scope: Scope) -> str:
    """Where the application is mounted, escaped as in an address, without a slash at its end."""
    return quote(_root(scope), safe=_PATH_CHARACTERS, errors="replace")


def full_path(scope: Scope) -> str:
    """The path of the address, escaped, with the mount's: some servers and frameworks leave that out."""
    path: str = scope.get("path") or "/"
    sent = (scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]
    if not sent or unquote(sent) != path:  # another server's idea of it, or a framework has changed the path
        sent = quote(path, safe=_PATH_CHARACTERS, errors="replace")
    left_out = _root(scope).removesuffix(root_in_path(scope))
    if not left_out:
        return sent
    return quote(left_out, safe=_PATH_CHARACTERS, errors="replace") + (sent if sent.startswith("/") else f"/{sent}")


def root_in_path(scope: Scope) -> str:
    """What of the mount's path is at the beginning of the scope's path, unescaped: all of it, or a part, or nothing.

    uvicorn puts its `--root-path` before the path, hypercorn and granian do not. Starlette's Mount leaves the path as
    it was, and keeps the root path that it has got from them as `app_root_path`.
    """
    root, path = _root(scope), scope.get("path", "/")
    outer: str = scope.get("app_root_path") or ""
    for start in (root, root.removeprefix(outer.rstrip("/"))):
        if start and (path == start or path.startswith(f"{start}/")):
            return start
    return ""


def _root(scope: Scope) -> str:
    root: str = scope.get("root_path", "")
    return root.rstrip("/")


def headers_of(scope: Scope) -> HTTPHeaders:
    """The headers of a request; those of a WebSocket are a handshake by RFC 6455, whatever version of HTTP it had."""
    headers = HTTPHeaders()
    for name, value in scope.get("headers", ()):
        if name.lower() == b"cookie" and "Cookie" in headers:  # HTTP/2 splits them (RFC 9113, section 8.2.3)
            headers["Cookie"] = f"{headers['Cookie']}; {value.decode('latin-1')}"
        else:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
    if is_websocket(scope):
        for name in _OF_THE_SERVER:
            headers.pop(name, None)
        headers.update(_HANDSHAKE)
        if scope.get("subprotocols"):
            headers["Sec-WebSocket-Protocol"] = ", ".join(scope["subprotocols"])
    return headers


def is_untaken_handshake(scope: Scope) -> bool:
    """Whether a browser wanted a WebSocket here, and the ASGI server knows none: it is an ordinary request then."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    found = {name.lower(): value.lower() for name, value in scope.get("headers", ())}
    return found.get(b"upgrade") == b"websocket" and b"sec-websocket-key" in found


def can_refuse_with_page(scope: Scope) -> bool:
    """Whether a WebSocket may be refused with an answer of our own, rather than one of the ASGI server's."""
    return "websocket.http.response" in (scope.get("extensions") or {})
