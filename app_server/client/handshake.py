"""From an opening to an open WebSocket: the connection, TLS, the request and its answer."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import Resolver
from tornado.tcpclient import TCPClient

from app_server import system
from app_server.client.errors import CannotConnect, Refused
from app_server.client.opening import Opening
from app_server.protocol import http_client
from app_server.protocol.handshake import new_key, request_headers
from app_server.protocol.websocket import accept_key
from app_server.version import __version__

READ_BYTES: Final = 64 * 1024

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}

_STATUS_HINTS: Final = {
    401: "The server requires a name and password, or another Authorization header.",
    403: "If sessions are signed, this program needs the server's BOKEH_SECRET_KEY and BOKEH_SIGN_SESSIONS; if it"
    " sends an Origin header, the server must allow it by --allow-websocket-origin.",
    404: "Check the application's path; the server's own page lists its applications.",
    405: "Check the application's path; the server's own page lists its applications.",
    426: "A proxy in between does not forward WebSockets.",
    502: "The proxy at this address cannot reach a server.",
    503: "The server is starting, stopping or overloaded; try again in a moment.",
}
_REDIRECT_HINT = "The page may require a login, or have moved; pass the login's cookies, or give its new address."


@dataclass(frozen=True, slots=True)
class Opened:
    """An open WebSocket, and what came after the answer to the request."""

    stream: IOStream
    left_over: bytes


class _UnixResolver(Resolver):
    """Resolves every host to one socket in the file system."""

    def initialize(self, path: str = "") -> None:
        self._path = path

    async def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> list[tuple[int, Any]]:
        """The one socket, for every name that is looked up."""
        return [(system.UNIX_FAMILY, self._path)]


async def shake_hands(opening: Opening, now_s: float) -> Opened:
    """The open WebSocket; CannotConnect or Refused says why there is none, TimeoutError that there is none yet."""
    try:
        stream = await _connect(opening)
        try:
            return Opened(stream, await _ask(stream, opening, now_s))
        except BaseException:
            stream.close()
            raise
    except CannotConnect:  # Refused, too
        raise
    except (OSError, ValueError, http_client.Malformed, http_client.TooLarge) as error:
        if isinstance(error, TimeoutError) and error.errno is None:
            raise  # the program's own limit, not the kernel's
        cause = error.real_error or error if isinstance(error, StreamClosedError) else error
        raise _explained(cause, opening) from error


def _explained(error: BaseException, opening: Opening) -> CannotConnect:
    """What this error means to the program."""
    where = opening.address.page_url
    if isinstance(error, ssl.SSLError):
        hint = "Give verify= the file of the authority that signed the server's certificate."
        return CannotConnect(f"TLS failed: {error.reason or error}", where=where, hint=hint)
    if isinstance(error, OSError):
        hint = "Start one with `app-server serve`, or check the address."
        return CannotConnect(f"no server answers: {error}", where=opening.unix_socket or where, hint=hint)
    return _no_server(str(error), where)


def _no_server(reason: str, where: str) -> Refused:
    what = f"the answer is not from a server for Bokeh applications: {reason}"
    return Refused(what, where=where, hint="Check the address.")


async def _connect(opening: Opening) -> IOStream:
    """A connection to the server, over TLS if the address says so."""
    if opening.unix_socket is not None and not system.has_unix_sockets():
        hint = "Leave out unix_socket=, and give the address of a server with a port."
        raise CannotConnect(f"there are no Unix sockets on {system.NAME}", where=opening.unix_socket, hint=hint)
    parts = urlsplit(opening.address.socket_url)
    client = TCPClient(None if opening.unix_socket is None else _UnixResolver(path=opening.unix_socket))
    stream = await client.connect(
        parts.hostname or "",
        parts.port or _DEFAULT_PORTS[parts.scheme],
        ssl_options=opening.tls(),
        timeout=opening.timeout_s,
    )
    # A message has three frames or more; they need not wait for one another's acknowledgement.
    stream.set_nodelay(opening.unix_socket is None)
    return stream


async def _ask(stream: IOStream, opening: Opening, now_s: float) -> bytes:
    """Ask for the WebSocket; what came after the answer. Refused if the answer is no."""
    key = new_key(os.urandom(16))
    await stream.write(_request(opening, key, opening.identity.token(now_s)))
    reader = http_client.ResponseReader("GET", READ_BYTES)
    while not reader.head_done:
        try:
            reader.feed(await stream.read_bytes(READ_BYTES, partial=True))
        except StreamClosedError as error:
            if error.real_error is not None:
                raise
            reader.end()
    if reader.status != 101:
        raise _refused(reader.status, reader.reason, opening.address.page_url)
    if reader.header("sec-websocket-accept") != accept_key(key):
        raise http_client.Malformed("Sec-WebSocket-Accept is missing or wrong")
    return reader.left_over


def _request(opening: Opening, key: str, token: str) -> bytes:
    parts = urlsplit(opening.address.socket_url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    given = {name.lower() for name in opening.headers}
    defaults = {"Host": parts.netloc, "User-Agent": f"app-server-client/{__version__}"}
    headers = [
        *((name, value) for name, value in defaults.items() if name.lower() not in given),
        *opening.headers.items(),
        *request_headers(key, token),
    ]
    # An address may have characters that are not ASCII; it is sent as UTF-8, as browsers do.
    return http_client.request("GET", target.encode("utf-8").decode("latin-1"), headers)


def _refused(status: int, reason: str, where: str) -> Refused:
    if status == 200:
        return _no_server("it is a page", where)
    what = f"the server refused the session with {status} {reason}".rstrip()
    hint = _REDIRECT_HINT if 300 <= status < 400 else _STATUS_HINTS.get(status)
    return Refused(what, status=status, where=where, hint=hint)
