"""Whether another session is allowed: a limit for the process, one for each address, and one for each user.

A session is counted from the moment it begins to be built until it ends. Joining an existing session is always allowed.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Final, TypeAlias

from app_server.errors import AppServerError

Key: TypeAlias = tuple[str, str]
"""What a session is counted by: the route of its application, and its id."""

Elsewhere: TypeAlias = Callable[[str], Awaitable[Set[Key]]]
"""The sessions that the other processes of the server count for an owner."""

RETRY_AFTER_S = 5
"""When to try again: a session without a browser ends within seconds, and a visitor can wait that long."""


_HEADLINES: Final = {
    "full": "Too many visitors at the moment",
    "address": "Too many visitors at the moment",
    "user": "You have too many pages open",
    "taken": "This session cannot be opened at the moment",
    "store": "This session cannot be opened at the moment",
    "draining": "One moment, please",
    "maintenance": "Down for maintenance",
}

_MAINTENANCE_S = 60
"""How often a page asks whether the maintenance is over."""


class Full(AppServerError):
    """A session is not given out at the moment; the page tries again.

    `reason` is "full" for the process, "address" for one address, "user" for one user, "taken" if another process has
    the session, "store" if it may be saved, and cannot be read at the moment, "draining" if the process is about to
    end, and "maintenance" if an operator turns new visitors away.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what)
        self.reason = reason

    @property
    def headline(self) -> str:
        """What the visitor's page says first."""
        return _HEADLINES[self.reason]

    @property
    def retry_after_s(self) -> int:
        """When to try again, in seconds."""
        return _MAINTENANCE_S if self.reason == "maintenance" else RETRY_AFTER_S

    @property
    def sentence(self) -> str:
        """What happened, as the beginning of a text."""
        return self.what[0].upper() + self.what[1:]


async def nowhere(owner: str) -> Set[Key]:
    """No sessions: this process is the only one of its server."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class _Place:
    address: str
    owner: str


class Admission:
    """Counts the sessions of a process; 0 means no limit.

    An `owner` is the mark of a user, empty for one who has not logged in. Users have their limit in all processes of
    the server together; `elsewhere` asks the others.
    """

    def __init__(
        self,
        max_sessions: int = 0,
        max_sessions_per_address: int = 0,
        max_sessions_per_user: int = 0,
        elsewhere: Elsewhere = nowhere,
    ) -> None:
        self.max_sessions = max_sessions
        self._max_per_address = max_sessions_per_address
        self._max_per_user = max_sessions_per_user
        self._elsewhere = elsewhere
        self._by_address: Counter[str] = Counter()
        self._by_owner: dict[str, set[Key]] = {}
        self._places: dict[Key, _Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def full(self) -> bool:
        """Whether the process accepts no more sessions from any address."""
        return 0 < self.max_sessions <= len(self._places)

    @property
    def counts_users(self) -> bool:
        """Whether users have a limit of their own."""
        return self._max_per_user > 0

    def sessions_of(self, owner: str) -> Set[Key]:
        """The owner's sessions in this process."""
        return frozenset(self._by_owner.get(owner, ()))

    def check(self, address: str, owner: str = "") -> None:
        """Raise Full if no session may be built for this address and owner, as far as this process knows."""
        if self.full:
            raise Full("the server has reached its limit of sessions", "full")
        if self._max_per_address and self._by_address[counted_as(address)] >= self._max_per_address:
            raise Full("your address has reached its limit of sessions", "address")
        if self._max_per_user and owner:
            self._check_number(self.sessions_of(owner))

    async def check_everywhere(self, address: str, owner: str = "") -> None:
        """Raise Full if no session may be built for this address and owner, as the server's processes are now."""
        self.check(address, owner)
        if self._max_per_user and owner:
            self._check_number(self.sessions_of(owner) | await self._elsewhere(owner))

    def enter(self, key: Key, address: str, owner: str = "") -> None:
        """Reserve a place for `key` until `leave`; raise Full if there is none."""
        if key in self._places:
            return
        self.check(address, owner)
        place = _Place(counted_as(address) if self._max_per_address else "", owner if self._max_per_user else "")
        self._places[key] = place
        if place.address:
            self._by_address[place.address] += 1
        if place.owner:
            self._by_owner.setdefault(place.owner, set()).add(key)

    async def confirm(self, key: Key, owner: str = "") -> None:
        """Raise Full if the owner has as many sessions in all processes as allowed, without `key`, which has entered.

        Of two processes that reserve the last place at the same time, each sees the other's: at most one gets it.
        """
        if self._max_per_user and owner:
            self._check_number((self.sessions_of(owner) | await self._elsewhere(owner)) - {key})

    def _check_number(self, sessions: Set[Key]) -> None:
        if len(sessions) >= self._max_per_user:
            raise Full(_too_many(len(sessions)), "user")

    def leave(self, key: Key) -> None:
        """The place is free again."""
        place = self._places.pop(key, None)
        if place is not None and place.address:
            self._by_address[place.address] -= 1
            if not self._by_address[place.address]:
                del self._by_address[place.address]
        if place is not None and place.owner:
            self._by_owner[place.owner].discard(key)
            if not self._by_owner[place.owner]:
                del self._by_owner[place.owner]


def _too_many(number: int) -> str:
    if number == 1:
        return "you have an open session here; close its page and try again"
    return f"you have {number} open sessions here; close a page and try again"


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
