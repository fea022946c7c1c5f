"""Where the console for operators listens, and where it finds those of other instances."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_LONGEST_SOCKET_PATH_BYTES = 107
_EXPECTED = "a port, HOST:PORT, unix:/PATH, or a path below the site such as /_console"
_EXPECTED_PEER = "HOST:PORT, unix:/PATH, or the address of a console such as https://apps.example.org/_console"


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """Where the console is: at a host's port, on a Unix socket, or at a path of the site itself; the others are ""."""

    host: str = ""
    port: int = 0
    unix_socket: str = ""
    path: str = ""

    @classmethod
    def read(cls, word: str) -> ConsolePlace:
        """The place that this word names. Raises ValueError with what was expected."""
        if word.startswith("unix:"):
            return cls(unix_socket=_socket_path(word.removeprefix("unix:"), _EXPECTED))
        if word.startswith("/"):
            return cls(path=_site_path(word))
        host, colon, port = word.rpartition(":")
        return cls(host=_host(host, _EXPECTED) if colon else "localhost", port=_port(port, _EXPECTED))

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it: at a loopback address, or on a Unix socket."""
        if self.unix_socket:
            return True
        if self.path:
            return False
        return self.host == "localhost" or _is_loopback(self.host)


def console_place(word: str) -> str:
    """The word itself, if it names a place for the console."""
    ConsolePlace.read(word)
    return word


@dataclass(frozen=True, slots=True)
class ConsolePeer:
    """Another instance's console: an address, with TLS or not, or a Unix socket; `path` is what precedes its pages."""

    name: str
    host: str = ""
    port: int = 0
    unix_socket: str = ""
    path: str = ""
    tls: bool = False

    @classmethod
    def read(cls, word: str) -> ConsolePeer:
        """The console that this word names. Raises ValueError with what was expected."""
        if word.startswith("unix:"):
            return cls(word, unix_socket=_socket_path(word.removeprefix("unix:"), _EXPECTED_PEER))
        if word.startswith(("http://", "https://")):
            return cls._read_address(word)
        host, colon, port = word.rpartition(":")
        if not colon:
            raise ValueError(_EXPECTED_PEER)
        return cls(word, host=_host(host, _EXPECTED_PEER), port=_port(port, _EXPECTED_PEER))

    @classmethod
    def _read_address(cls, word: str) -> ConsolePeer:
        try:
            parts = urlsplit(word)
            tls = parts.scheme == "https"
            port = (443 if tls else 80) if parts.port is None else parts.port
        except ValueError:
            raise ValueError(_EXPECTED_PEER) from None
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment or not port:
            raise ValueError(_EXPECTED_PEER)
        path = _site_path(parts.path) if parts.path.strip("/") else ""
        return cls(word, host=parts.hostname, port=port, path=path, tls=tls)


def console_peer(word: str) -> str:
    """The word itself, if it names another instance's console."""
    ConsolePeer.read(word)
    return word


def _port(word: str, expected: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", word) or not 0 <= int(word) <= 65535:
        raise ValueError(expected)
    return int(word)


def _host(word: str, expected: str) -> str:
    bare = word[1:-1] if word.startswith("[") and word.endswith("]") else word
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", bare) or (":" in bare) != (bare != word):
        raise ValueError(expected)
    return bare


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _site_path(word: str) -> str:
    path = word.strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._~/-]+", path) or "//" in path or {".", ".."} & set(path.split("/")):
        raise ValueError(_EXPECTED)
    return f"/{path}"


def _socket_path(path: str, expected: str) -> str:
    if not path.startswith("/") or "\0" in path or len(os.fsencode(path)) > _LONGEST_SOCKET_PATH_BYTES:
        raise ValueError(expected)
    return path
