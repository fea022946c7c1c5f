"""Failed logins slow down: by user, by address, and with bounded memory.

An attempt is treated as failed from its start until it has succeeded, so many at once gain nothing. The first few
failures cost nothing; then each doubles the time until the next attempt. A user's own delay stays short, because
strangers cause it; an address waits longer. An hour after the last failure everything is forgotten.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

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


@dataclass(frozen=True, slots=True)
class Failure:
    """How many logins have failed, and when the last one did."""

    count: int = 0
    last_s: float = 0.0


class FailureTable(Protocol):
    """What is known of users or of addresses: a bounded number of them."""

    def __len__(self) -> int: ...

    def get(self, key: str) -> Failure | None:
        """What is known of this key."""

    def put(self, key: str, failure: Failure) -> None:
        """Keep this for the key; something old may have to make room."""

    def drop(self, key: str) -> None:
        """Forget this key."""


class Failures(Protocol):
    """The tables of users and of addresses, and a lock for both."""

    @property
    def users(self) -> FailureTable: ...

    @property
    def addresses(self) -> FailureTable: ...

    def locked(self) -> AbstractContextManager[None]:
        """A block in which no one else changes them."""


class OwnTable:
    """A table of one process; the key whose last failure is the oldest makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: OrderedDict[str, Failure] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def get(self, key: str) -> Failure | None:
        """What is known of this key."""
        return self._failures.get(key)

    def put(self, key: str, failure: Failure) -> None:
        """Keep this for the key."""
        self._failures[key] = failure
        self._failures.move_to_end(key)
        while len(self._failures) > self._most:
            self._failures.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget this key."""
        self._failures.pop(key, None)


class OwnFailures:
    """The failures that one process has seen."""

    def __init__(self, most: int = _MOST_ENTRIES) -> None:
        self.users: FailureTable = OwnTable(most)
        self.addresses: FailureTable = OwnTable(most)

    def locked(self) -> AbstractContextManager[None]:
        """A block in which no one else changes them, which no one else can."""
        return nullcontext()


class Throttle:
    """The failed logins of the last hour."""

    def __init__(self, failures: Failures | None = None, *, most: int = _MOST_ENTRIES) -> None:
        self._failures = failures or OwnFailures(most)

    def __len__(self) -> int:
        return len(self._failures.users) + len(self._failures.addresses)

    def begin(self, user: str, address: str | None, now_s: float) -> float:
        """0.0 if the attempt may be made, which is treated as failed until `succeeded`; else the seconds to wait."""
        where = _network(address)
        users, addresses = self._failures.users, self._failures.addresses
        with self._failures.locked():
            wait_s = _wait_s(users, user, USER, now_s)
            if where is not None:
                wait_s = max(wait_s, _wait_s(addresses, where, ADDRESS, now_s))
            if wait_s > 0:
                return wait_s
            _note(users, user, now_s)
            if where is not None:
                _note(addresses, where, now_s)
        return 0.0

    def succeeded(self, user: str, address: str | None) -> None:
        """The attempt succeeded. The address keeps its other failures: they may be those of another user."""
        where = _network(address)
        with self._failures.locked():
            self._failures.users.drop(user)
            if where is not None:
                _take_back(self._failures.addresses, where)


def _wait_s(table: FailureTable, key: str, patience: Patience, now_s: float) -> float:
    failure = table.get(key)
    if failure is None:
        return 0.0
    if now_s - failure.last_s > _FORGOTTEN_AFTER_S:
        table.drop(key)
        return 0.0
    return max(0.0, failure.last_s + patience.wait_s(failure.count) - now_s)


def _note(table: FailureTable, key: str, now_s: float) -> None:
    known = table.get(key) or Failure()
    table.put(key, Failure(known.count + 1, now_s))


def _take_back(table: FailureTable, key: str) -> None:
    failure = table.get(key)
    if failure is None:
        return
    if failure.count <= 1:
        table.drop(key)
    else:
        table.put(key, Failure(failure.count - 1, failure.last_s))


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
