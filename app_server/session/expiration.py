"""When a session without clients ends."""

from __future__ import annotations

from enum import Enum


class SessionState(Enum):
    """A session is built before it is made, lives, and ends once."""

    LIVING = "living"
    ENDING = "ending"
    ENDED = "ended"


class Expiring:
    """A session's wishes about its own end; applications may call these methods of `session_context.session`."""

    def __init__(self, now_s: float) -> None:
        self.unused_since_s = now_s
        self.expiration_requested = False
        self.ended_by_operator = False
        self._expiration_blocks = 0

    def request_expiration(self) -> None:
        """Let the session end at the next check, even if its lifetime without clients is not over."""
        self.expiration_requested = True

    def note_ended_by_operator(self) -> None:
        """Take note that the session is about to end because an operator has said so."""
        self.ended_by_operator = True

    def block_expiration(self) -> None:
        """Keep the session alive without clients, until as many `unblock_expiration` have come."""
        self._expiration_blocks += 1

    def unblock_expiration(self) -> None:
        """Take one `block_expiration` back."""
        self._expiration_blocks = max(0, self._expiration_blocks - 1)

    @property
    def expiration_blocked(self) -> bool:
        """Whether the application wants the session to live on without clients."""
        return self._expiration_blocks > 0
