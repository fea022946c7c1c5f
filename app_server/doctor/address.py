"""The address that the doctor examines, and addresses derived from it."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from app_server.errors import OperatorError
from app_server.security.hostnames import ascii_host, bracketed

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_IN_PATH = "/%:@!$&'()*+,;=-._~"  # RFC 3986, section 3.3
_IN_QUERY = _IN_PATH + "?"
_EXAMPLE = "Use the address that people open, such as https://example.com/sliders."


@dataclass(frozen=True, slots=True)
class Target:
    """A web address in its parts; `path` begins with a slash, `query` has no question mark."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def authority(self) -> str:
        """The host as a browser writes it into its Host header: without the port if it is the usual one."""
        name = bracketed(self.host)
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def origin(self) -> str:
        """What a page from there sends as its Origin."""
        return f"{self.scheme}://{self.authority}"

    @property
    def request_path(self) -> str:
        """Path and query, as the first line of a request has them."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        """The whole address."""
        return self.origin + self.request_path

    @property
    def is_local(self) -> bool:
        """Whether it names this machine, where neither names nor certificates are meant for the public."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        return self.is_address and ipaddress.ip_address(self.host).is_loopback

    @property
    def is_address(self) -> bool:
        """Whether the host is a number rather than a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def at(self, path: str, query: str = "") -> Target:
        """Another path of the same host, percent-encoded."""
        return replace(self, path=quote(path, safe=_IN_PATH), query=quote(query, safe=_IN_QUERY))

    def follow(self, link: str) -> Target | None:
        """Where a link of this page leads; None if that is not a web address."""
        try:
            return read_target(urljoin(self.url, link))
        except (OperatorError, ValueError):
            return None


def parse_target(url: str) -> tuple[Target, str | None]:
    """The target, and the Authorization header that a name and password in the address stand for.

    Raises OperatorError if it is not a web address.
    """
    target = read_target(url)
    parts = urlsplit(url)
    if parts.username is None:
        return target, None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return target, "Basic " + b64encode(pair.encode("utf-8")).decode("ascii")


def read_target(url: str) -> Target:
    """The target of this address. Raises OperatorError if it is not a web address."""
    shown = repr(url.rpartition("@")[2])
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OperatorError("this is not an address", where=shown, hint=_EXAMPLE) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
        raise OperatorError("this is not an address of a web site", where=shown, hint=_EXAMPLE)
    host = _ascii_host(parts.hostname)
    if host is None:
        raise OperatorError("this is not the name of a host", where=shown, hint=_EXAMPLE)
    path, query = quote(parts.path or "/", safe=_IN_PATH), quote(parts.query, safe=_IN_QUERY)
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path, query)


def read_origin(text: str) -> str:
    """The origin `scheme://host[:port]` of a page. Raises OperatorError for anything else."""
    target = read_target(text)
    if target.path != "/" or target.query:
        raise OperatorError(f"an origin has no path: {target.origin} is one", where=repr(text))
    return target.origin


def _ascii_host(host: str) -> str | None:
    """The name in ASCII; None if it is not a host name."""
    if ":" in host:  # urlsplit has checked the part in brackets, as far as Python 3.11 does
        try:
            return str(ipaddress.IPv6Address(host.partition("%")[0]))
        except ValueError:
            return None
    try:
        name = ascii_host(host)
    except ValueError:
        return None
    legal = all(0 < len(label) < 64 for label in name.rstrip(".").split("."))
    return name if legal and not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-._") else None
