"""What a wire needs from the code that uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app_server.errors import PeerError


@dataclass(frozen=True, slots=True)
class WireLimits:
    """`max_message_bytes` bounds an incoming message. A client with more than `max_queue_bytes` queued for it is not
    read from."""

    max_message_bytes: int
    max_queue_bytes: int


class Traffic(Protocol):
    """Where a wire counts its bytes."""

    bytes_in: int
    bytes_out: int


class WireOwner(Protocol):
    """Receives what happens on a wire."""

    def frame_received(self, opcode: int, payload: bytes) -> None: ...

    def frame_discarded(self) -> None: ...

    def may_discard(self, opcode: int, prefix: bytes) -> bool: ...

    def wire_caught_up(self) -> None: ...

    def refused(self, error: PeerError) -> None: ...

    def wire_closed(self, code: int, reason: str) -> None: ...
