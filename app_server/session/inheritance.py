"""Sessions that other processes have left to this one when they ended, by their ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

KEPT_S = 3600.0
"""A page that comes back later than this finds that its token has expired."""

MOST = 10_000
"""More than a process can have; the oldest are forgotten first."""


class Inheritance:
    """The ids of sessions whose pages may build them here although their tokens have expired."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, kept_s: float = KEPT_S, most: int = MOST
    ) -> None:
        self._clock = clock
        self._kept_s = kept_s
        self._most = most
        self._since_s: dict[str, float] = {}

    def __contains__(self, session_id: str) -> bool:
        self._prune()
        return session_id in self._since_s

    def __len__(self) -> int:
        self._prune()
        return len(self._since_s)

    def add(self, session_ids: Iterable[str]) -> None:
        """Another process has named these before it ended."""
        now_s = self._clock()
        for session_id in session_ids:
            self._since_s.pop(session_id, None)
            self._since_s[session_id] = now_s
        self._prune()

    def _prune(self) -> None:
        oldest_s = self._clock() - self._kept_s
        while self._since_s:
            session_id, since_s = next(iter(self._since_s.items()))
            if since_s > oldest_s and len(self._since_s) <= self._most:
                return
            del self._since_s[session_id]
