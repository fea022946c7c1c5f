"""Whether another session is allowed: a limit for the process, and one for each address.

A session is counted from the moment it begins to be built until it ends. Joining an existing session is always allowed.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Final

from app_server.errors import AppServerError

RETRY_AFTER_S = 5
"""When to try again: a session without a browser ends within seconds, and a visitor can wait that long."""


_HEADLINES: Final = {
    "full": "Too many visitors at the moment",
    "address": "Too many visitors at the moment",
    "taken": "This session cannot be opened at the moment",
    "store": "This session cannot be opened at the moment",
    "draining": "One moment, please",
}


class Full(AppServerError):
    """A session is not given out at the moment; the page tries again.

    `reason` is "full" for the process, "address" for one address, "taken" if another process has the session, "store"
    if it may be saved, and cannot be read at the moment, and "draining" if the process is about to end.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what)
        self.reason = reason

    @property
    def headline(self) -> str:
        """What the visitor's page says first."""
        return _HEADLINES[self.reason]

    @property
    def sentence(self) -> str:
        """What happened, as the beginning of a text."""
        return self.what[0].upper() + self.what[1:]


class Admission:
    """Counts the sessions of a process; 0 means no limit."""

    def __init__(self, max_sessions: int = 0, max_sessions_per_address: int = 0) -> None:
        self.max_sessions = max_sessions
        self._max_per_address = max_sessions_per_address
        self._by_address: Counter[str] = Counter()
        self._places: dict[object, str] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def full(self) -> bool:
        """Whether the process accepts no more sessions from any address."""
        return 0 < self.max_sessions <= len(self._places)

    def check(self, address: str) -> None:
        """Raise Full if no session may be built for this address."""
        if self.full:
            raise Full("the server has reached its limit of sessions", "full")
        if self._max_per_address and self._by_address[counted_as(address)] >= self._max_per_address:
            raise Full("your address has reached its limit of sessions", "address")

    def enter(self, key: object, address: str) -> None:
        """Reserve a place for `key` until `leave`; raise Full if there is none."""
        if key in self._places:
            return
        self.check(address)
        self._places[key] = counted_as(address) if self._max_per_address else ""
        if self._max_per_address:
            self._by_address[self._places[key]] += 1

    def leave(self, key: object) -> None:
        """The place is free again."""
        address = self._places.pop(key, "")
        if address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


def counted_as(address: str) -> str:
    """What is treated as one address: an IPv4 address, or the /64 network of an IPv6 one, which is one customer's."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return str(found)
