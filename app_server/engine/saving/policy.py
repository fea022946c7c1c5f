"""What is saved of sessions, how often, and what is given back to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from app_server.settings.values import Restore
from app_server.store.keys import Keys

SAVE_EVERY_S: Final = 1.0
"""How often a session that changes is saved: what was on the screen longer ago is never lost."""


@dataclass(frozen=True, slots=True)
class SavingPolicy:
    """How the sessions of a server are saved; `max_bytes` is for each of them, `max_bookmarks` for the whole store."""

    keys: Keys = field(repr=False)
    max_bytes: int
    ttl_s: float
    restore: Restore = "inputs"
    every_s: float = SAVE_EVERY_S
    max_bookmarks: int = 10_000

    def restoring(self, restore: Restore | None) -> SavingPolicy:
        """The policy for an application whose author says what its saved sessions get back; None if they do not."""
        return self if restore is None else replace(self, restore=restore)

    @property
    def own_bytes(self) -> int:
        """How much of an application's own values, such as its state, is saved of a session."""
        return self.max_bytes // 8
