"""Who uses a console without a login: the users of this machine, and no one who comes through a proxy."""

from __future__ import annotations

import ipaddress
import os
import pwd
import socket
import struct
from typing import Any

from tornado.httputil import HTTPServerRequest

from app_server.http.auth_backend import AuthBackend, peer_of
from app_server.http.base_handler import BaseHandler
from app_server.security.auth.users import User

_FORWARDED = ("x-forwarded-", "x-real-ip", "x-client-ip", "true-client-ip", "cf-", "cdn-loop", "forwarded", "via")
"""A header whose name begins with one of these says that a proxy has passed the request on."""

_CREDENTIALS = struct.Struct("3i")


class LocalOperators(AuthBackend):
    """Lets in the users of this machine, named if the connection says who they are (unix(7), SO_PEERCRED)."""

    open = False

    async def user(self, handler: BaseHandler) -> Any:
        """The operator; None for what may come from elsewhere."""
        peer = peer_of(handler)
        if _is_forwarded(handler.request) or not _is_of_machine(handler.request.host_name):
            return None
        if peer == "unix":
            return User(_name_of_peer(handler), "local")
        return User(f"local user ({peer})", "local") if _is_loopback(peer) else None

    def deny(self, handler: BaseHandler) -> None:
        """Refuse every request: this console has no login page."""
        handler.refuse(403, "This console is not for use from elsewhere", self.advice(handler))

    def advice(self, handler: BaseHandler) -> str | None:
        """What someone who comes through a proxy can do."""
        return "This console has no login, so it answers only on its own machine, under the name localhost."


def _is_forwarded(request: HTTPServerRequest) -> bool:
    """Whether a proxy says so, or it is one that adds nothing: nginx sends HTTP/1.0 then, and no browser does."""
    return request.version == "HTTP/1.0" or any(name.lower().startswith(_FORWARDED) for name in request.headers)


def _is_of_machine(host: str) -> bool:
    """Whether this is a name that no one else can point at this machine: pages of other sites might (DNS rebinding)."""
    return host == "localhost" or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_loopback(peer: str) -> bool:
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _name_of_peer(handler: BaseHandler) -> str:
    connection: Any = handler.request.connection
    stream = getattr(connection, "stream", None)
    if stream is None or not hasattr(socket, "SO_PEERCRED"):  # as on macOS
        return "local user"
    data = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(data)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}" if uid != os.geteuid() else "local user"
