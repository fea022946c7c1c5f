"""Failed logins slow down: by user, by address, and with bounded memory.

An attempt is treated as failed from its start until it has succeeded, so many at once gain nothing. The first few
failures cost nothing; then each doubles the time until the next attempt. A user's own delay stays short, because
strangers cause it; an address waits longer. An hour after the last failure everything is forgotten.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_FORGOTTEN_AFTER_S: Final = 3600.0
_MOST_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures cost nothing, and the longest wait that further ones can cause."""

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """How long one has to wait after the last of this many failures."""
        over = failures - self.free
        return 0.0 if over < 0 else float(min(2 ** min(over, 30), self.longest_s))


USER: Final = Patience(free=5, longest_s=30)
# An address may be that of a whole office.
ADDRESS: Final = Patience(free=20, longest_s=300)


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last_s: float = 0.0

    def add(self, now_s: float) -> None:
        self.failures += 1
        self.last_s = now_s

    def take_back(self) -> None:
        self.failures -= 1


@dataclass(slots=True)
class _Failures:
    patience: Patience
    most: int
    records: OrderedDict[str, _Record] = field(default_factory=OrderedDict)

    def wait_s(self, key: str, now_s: float) -> float:
        record = self.records.get(key)
        if record is None:
            return 0.0
        if now_s - record.last_s > _FORGOTTEN_AFTER_S:
            del self.records[key]
            return 0.0
        return max(0.0, record.last_s + self.patience.wait_s(record.failures) - now_s)

    def note(self, key: str, now_s: float) -> None:
        self.records.setdefault(key, _Record()).add(now_s)
        self.records.move_to_end(key)
        while len(self.records) > self.most:
            self.records.popitem(last=False)

    def take_back(self, key: str) -> None:
        record = self.records.get(key)
        if record is not None:
            record.take_back()
            if record.failures <= 0:
                del self.records[key]


class Throttle:
    """The failed logins of the last hour."""

    def __init__(self, *, most: int = _MOST_ENTRIES) -> None:
        self._users = _Failures(USER, most)
        self._addresses = _Failures(ADDRESS, most)

    def __len__(self) -> int:
        return len(self._users.records) + len(self._addresses.records)

    def begin(self, user: str, address: str | None, now_s: float) -> float:
        """0.0 if the attempt may be made, which is treated as failed until `succeeded`; else the seconds to wait."""
        where = _network(address)
        wait_s = self._users.wait_s(user, now_s)
        if where is not None:
            wait_s = max(wait_s, self._addresses.wait_s(where, now_s))
        if wait_s > 0:
            return wait_s
        self._users.note(user, now_s)
        if where is not None:
            self._addresses.note(where, now_s)
        return 0.0

    def succeeded(self, user: str, address: str | None) -> None:
        """The attempt succeeded. The address keeps its other failures: they may be those of another user."""
        self._users.records.pop(user, None)
        where = _network(address)
        if where is not None:
            self._addresses.take_back(where)


def _network(address: str | None) -> str | None:
    """An IPv4 address, or the /64 of an IPv6 one, since one customer has that many; None if it identifies no one."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    # A socket that listens on IPv6 reports IPv4 clients as ::ffff:a.b.c.d, which is the same address.
    parsed = getattr(found, "ipv4_mapped", None) or found
    if parsed.is_unspecified:  # what Tornado says of a Unix socket
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
