"""What a tunnel is: which host ssh goes to, and which port leads where."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from app_server.errors import OperatorError
from app_server.security.hostnames import bracketed

# The server's usual port on both ends: its default origin then matches what the browser shows.
PORT = 5006
# 45 s are long enough for a short network failure, and short enough for a user who waits.
ALIVE_INTERVAL_S = 15
ALIVE_COUNT = 3
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


class Form(Enum):
    """Which end listens."""

    LOCAL = "local"
    """Where ssh runs: a laptop reaches a server on the host that ssh connects to, or a gateway's port."""
    REVERSE = "reverse"
    """On the host that ssh connects to: a server that cannot be reached offers a port on a gateway."""


@dataclass(frozen=True)
class TunnelEnd:
    """A host that ssh goes to; without `user` and `port`, ssh's own configuration and defaults decide."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        """As ssh takes it in ProxyJump: user@host:port."""
        if self.port is None:
            return f"{self.login_prefix}{self.host}"
        return f"{self.login_prefix}{bracketed(self.host)}:{self.port}"

    @property
    def login(self) -> str:
        """As ssh takes it for its destination, which has no port: user@host."""
        return f"{self.login_prefix}{self.host}"

    @property
    def login_prefix(self) -> str:
        """`user@`, or nothing."""
        return "" if self.user is None else f"{self.user}@"


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """One tunnel. `name` is its Host in ssh_config and the name of its unit.

    Who connects to `listen_port` of the loopback at one end reaches `target_host:target_port` as the other end sees
    it, or the Unix socket `target_socket` there; `form` says which end listens. `via` are the jump hosts on the way,
    nearest first. `identity` and `known_hosts` are files; without them ssh looks where it always does. A connection
    that leaves `alive_count` probes in a row unanswered, one every `alive_interval_s`, is dead.
    """

    name: str
    destination: TunnelEnd
    form: Form = Form.LOCAL
    listen_port: int = PORT
    target_port: int = PORT
    target_host: str = "localhost"
    target_socket: str | None = None
    via: tuple[TunnelEnd, ...] = ()
    identity: str | None = None
    known_hosts: str | None = None
    alive_interval_s: int = ALIVE_INTERVAL_S
    alive_count: int = ALIVE_COUNT

    @property
    def forward(self) -> tuple[str, str]:
        """Where is listened, and where that leads; each as ssh_config takes it."""
        return (
            f"localhost:{self.listen_port}",
            self.target_socket or f"{bracketed(self.target_host)}:{self.target_port}",
        )

    @property
    def url(self) -> str:
        """What a browser opens at the end that listens."""
        return f"http://localhost:{self.listen_port}/"


def read_place(word: str, where: str) -> TunnelEnd:
    """Reads `[USER@]HOST[:PORT]`; OperatorError, which names `where`, for anything else.

    What could be read as an option or as several words is refused, because it becomes part of command lines and files.
    """
    user, at, rest = word.rpartition("@")
    host, port = _split(rest)
    if at and not _NAME.fullmatch(user):
        raise OperatorError(f"{user[:40]!r} is not the name of a user", where=where, hint="Write USER@HOST.")
    if not (_NAME.fullmatch(host) or _is_address(host)):
        raise OperatorError(f"{host[:60]!r} is not the name of a host", where=where, hint="Write USER@HOST.")
    return TunnelEnd(host, user or None, None if port is None else read_port(port, where))


def read_places(words: Sequence[str], where: str) -> tuple[TunnelEnd, ...]:
    """Several places, one a word or with commas between them as ProxyJump has them."""
    return tuple(read_place(part.strip(), where) for word in words for part in word.split(","))


def read_port(word: str, where: str) -> int:
    """A TCP port; OperatorError, which names `where`, for anything else."""
    if not re.fullmatch(r"[0-9]{1,5}", word) or not 1 <= int(word) <= 65535:
        raise OperatorError(f"{word[:40]!r} is not a port", where=where, hint="Ports are numbers from 1 to 65535.")
    return int(word)


def _split(rest: str) -> tuple[str, str | None]:
    """Host and port; an IPv6 address with a port is in brackets."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", rest)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    if rest.count(":") > 1:
        return rest, None
    host, colon, port = rest.partition(":")
    return host, port if colon else None


def _is_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) is not None and "%" not in host
    except ValueError:
        return False
