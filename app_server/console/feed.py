"""What the console's pages need to know of the deployment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

Instance = Mapping[str, Any]
"""What an instance says of itself: `name`, `address`, and either `fault`, or `snapshot` and the parts asked for."""


class Feed(Protocol):
    """All instances of the deployment."""

    async def look(self, parts: Collection[str]) -> Sequence[Instance]:
        """Each instance with these of the parts: sessions, log, stalls, history, audit, profiles."""

    async def act(self, address: str, order: Mapping[str, Any], who: str) -> str:
        """Do this at the instance with this address; what came of it, in words."""
