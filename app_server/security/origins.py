"""Which pages may open a socket: the allow-list of origins (RFC 6454) that `--allow-websocket-origin` describes.

An entry is `HOST` or `HOST:PORT`; without a port it means the default port, which browsers leave out,
too. A `*` means any one label of the host, any port, or, by itself, every origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from app_server.errors import OperatorError
from app_server.security.hostnames import ascii_host

_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\[\]/?#@:\\\s*]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"\*|[a-z0-9_-]{1,63}")
_SETTING: Final = "--allow-websocket-origin"

# An entry without a port means 80, whichever scheme the page has: behind a TLS proxy people write just the name.
_DEFAULT_PORT: Final = 80
_IMPLIED_PORTS: Final = {"https": frozenset({80, 443}), "wss": frozenset({80, 443})}


@dataclass(frozen=True)
class HostPattern:
    """One entry of the allow-list. A label "*" is any label, no labels are any host; no port is any port."""

    labels: tuple[str, ...]
    port: int | None

    def matches(self, labels: tuple[str, ...], ports: frozenset[int]) -> bool:
        """Whether this entry matches the host, split into labels, at one of these ports."""
        if self.port is not None and self.port not in ports:
            return False
        if not self.labels:
            return True
        # The same number of labels: example.com must not allow example.com.bad.net, nor *.com a.b.com.
        return len(labels) == len(self.labels) and all(
            wanted in ("*", label) for wanted, label in zip(self.labels, labels, strict=True)
        )


@dataclass(frozen=True)
class OriginPolicy:
    """Says which origins may connect. `allow_missing`: programs other than browsers send no Origin.

    `same_host` allows the origin whose host and port the request itself is for: those of the server's own pages,
    wherever it is reached.
    """

    patterns: tuple[HostPattern, ...] = ()
    allow_any: bool = False
    allow_missing: bool = True
    same_host: bool = False

    @classmethod
    def from_hosts(cls, hosts: Iterable[str], *, allow_missing: bool = True) -> OriginPolicy:
        """The policy of these `HOST[:PORT]` entries; of none of them, one that lets no page connect.

        Raises OperatorError for an entry of another form.
        """
        entries = [entry.strip().lower() for entry in hosts]
        return cls(
            patterns=tuple(parse_host(entry) for entry in entries if entry != "*"),
            allow_any="*" in entries,
            allow_missing=allow_missing,
        )

    def allows(self, origin: str | None, host: str = "") -> bool:
        """Whether a request with this Origin header, None for none, and this Host header may go on."""
        if self.allow_any:
            return True
        if origin is None:
            return self.allow_missing
        parts = _split_origin(origin)
        if parts is None:
            return False
        return any(pattern.matches(*parts) for pattern in self.patterns) or (self.same_host and _is_at(parts, host))

    def hint(self, origin: str | None) -> str:
        """What the operator can do about a refused origin, for the log."""
        found = _ORIGIN.fullmatch((origin or "").strip().lower())
        if found is None:
            return f"Only {_SETTING}=* allows such an origin, and then every other one too."
        host = found[2] if found[3] is None else f"{found[2]}:{found[3]}"
        return f"To let its pages connect, start with {_SETTING}={host} or set BOKEH_ALLOW_WS_ORIGIN={host}."


def parse_host(entry: str) -> HostPattern:
    """The pattern that an entry such as `example.com`, `*.example.com:5006`, `*:8080` or `[::1]:*` describes."""
    if "://" in entry or "/" in entry:
        raise _bad_entry(entry, "is a URL", "Write only the host, such as example.com or example.com:5006.")
    if entry.count(":") > 1 and not entry.startswith("["):
        raise _bad_entry(entry, "has too many colons", "Write an IPv6 address in brackets: [::1]:5006.")
    host, bracket, rest = entry.partition("]")
    host, colon, port = (host + bracket, *rest.partition(":")[1:]) if bracket else entry.partition(":")
    if bracket and rest and not rest.startswith(":"):
        raise _bad_entry(entry, "has something other than a port after the bracket", "Write [::1]:5006.")
    labels = () if host == "*" else _labels(host)
    if labels is None:
        raise _bad_entry(entry, "has no valid host", "A * means one whole label: *.example.com, 192.168.*.*.")
    return HostPattern(labels, _read_port(entry, port) if colon else _DEFAULT_PORT)


def _read_port(entry: str, port: str) -> int | None:
    if port == "*":
        return None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise _bad_entry(entry, f"has no valid port ({port or 'nothing'} after the colon)", "Write 1 to 65535, or *.")
    return int(port)


def _split_origin(origin: str) -> tuple[tuple[str, ...], frozenset[int]] | None:
    """The labels of an Origin header's host and the ports it may mean; None when it is `null` or malformed."""
    found = _ORIGIN.fullmatch(origin.strip().lower())
    labels = None if found is None else _labels(found[2])
    if found is None or labels is None:
        return None
    implied = _IMPLIED_PORTS.get(found[1], frozenset({_DEFAULT_PORT}))
    if found[3] is None or int(found[3]) == max(implied):
        return labels, implied
    return labels, frozenset({int(found[3])})


def _is_at(origin: tuple[tuple[str, ...], frozenset[int]], host: str) -> bool:
    """Whether the labels and ports of an origin are those of a Host header.

    A TLS proxy in front does not show in the header: without a port it means that of the origin's scheme.
    """
    found = _ORIGIN.fullmatch(f"http://{host.strip().lower()}")
    if found is None or _labels(found[2]) != origin[0]:
        return False
    return int(found[3]) in origin[1] if found[3] else not origin[1].isdisjoint({80, 443})


def _labels(host: str) -> tuple[str, ...] | None:
    """The host's labels in lower case ASCII, an IPv6 address as one in its shortest form; None for no host."""
    if host.startswith("["):
        try:
            return (IPv6Address(host[1:-1]).compressed,)
        except AddressValueError:
            return None
    try:
        labels = tuple(ascii_host(host).split("."))
    except ValueError:
        return None
    return labels if all(_LABEL.fullmatch(label) for label in labels) else None


def _bad_entry(entry: str, fault: str, hint: str) -> OperatorError:
    return OperatorError(f"{entry!r} {fault}", where=_SETTING, hint=hint)
