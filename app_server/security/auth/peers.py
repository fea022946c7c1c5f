"""A user's name and groups in headers, accepted only from the named proxies."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app_server.security.auth.users import is_name

UNIX = "unix"
"""The other end of a Unix socket; the permissions of the socket's file decide who that can be."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustedPeers:
    """The networks whose header is trusted."""

    networks: tuple[Network, ...]
    unix: bool = False

    @classmethod
    def from_words(cls, words: Iterable[str]) -> TrustedPeers:
        """The peers that these words name; the settings have checked them."""
        known = list(words)
        return cls(tuple(ipaddress.ip_network(word) for word in known if word != UNIX), UNIX in known)

    def trusts(self, peer: str) -> bool:
        """Whether a header from this address, or from "unix", is trusted.

        `peer` is the other end of the connection. What X-Forwarded-For says is a claim like any other.
        """
        if peer == UNIX:
            return self.unix
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        # A socket that listens on IPv6 reports IPv4 peers as ::ffff:a.b.c.d.
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)


def user_named(values: Sequence[str]) -> str | None:
    """The user whom the header's values name; None if it is missing, empty or not a name.

    A header that appears twice is ignored: the first may be the visitor's, and the second the proxy's.
    """
    if len(values) != 1:
        return None
    name = _text(values[0])
    return name if is_name(name) else None


def groups_named(values: Sequence[str]) -> tuple[str, ...]:
    """The groups that the header's values name, separated by commas or, as authentik does, by `|`.

    None if it appears twice, for the reason above.
    """
    if len(values) != 1:
        return ()
    names = (name.strip() for name in re.split(r"[,|]", _text(values[0])))
    return tuple(dict.fromkeys(name for name in names if name and name.isprintable()))


def _text(value: str) -> str:
    try:
        # HTTP headers come as Latin-1; proxies send UTF-8.
        return value.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        return value.strip()
