"""What a proxy says about its client: `X-Real-IP`, `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Scheme`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

# "203.0.113.9:52044", "[2001:db8::1]:52044", "[2001:db8::1]"; perhaps in quotes, as RFC 7239 has it.
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[\w-]+)?|([0-9.]+):[\w-]+")
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,15}")  # the name of an interface, as Linux allows them
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def address_in(text: str) -> str | None:
    """The address of a node, without the port that some proxies add.

    None for `unknown` and names that hide an address (RFC 7239, section 6), and for everything
    else. An IPv4 address inside an IPv6 one is returned as IPv4: a client has one address however it is written.
    """
    text = text.strip().strip('"').strip()
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(found[1] or found[2] if found else text)
    except ValueError:
        return None
    zone = getattr(address, "scope_id", None)
    if zone is not None and not _ZONE.fullmatch(zone):  # Python accepts any text
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def client_address(headers: Mapping[str, str]) -> str | None:
    """The address of the client as the nearest proxy has seen it; None if it does not say, or hides it.

    In a list the last entry is that of the nearest proxy; those before it may have been written by the client.
    """
    for name in ("X-Real-Ip", "X-Forwarded-For"):
        address = address_in(headers.get(name, "").rpartition(",")[2])
        if address is not None:
            return address
    return None


def client_scheme(headers: Mapping[str, str]) -> str | None:
    """ "http" or "https", as the nearest proxy was asked, in whatever case; None if it does not say."""
    for name in ("X-Scheme", "X-Forwarded-Proto"):
        word = headers.get(name, "").rpartition(",")[2].strip().strip('"').lower()
        if word in _SCHEMES:
            return _SCHEMES[word]
    return None
