"""What a wire needs from the code that uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app_server.engine.sinks import FrameSink
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


class ClientWire(FrameSink, Protocol):
    """An open connection to a client, whatever carries it; its methods never block and may be called in any state."""

    last_heard_s: float
    last_sent_s: float

    @property
    def closed(self) -> bool: ...

    def start(self) -> None: ...

    def ping(self) -> None: ...

    def has_gone(self, limit_s: float) -> bool: ...

    def abort(self, code: int = 1006, reason: str = "") -> None: ...


class ClientSocket(Protocol):
    """An opened WebSocket that no client has yet: it becomes the wire of one, or ends with a refusal."""

    def wire(self, owner: WireOwner, limits: WireLimits, traffic: Traffic, new_wire: Callable[..., Any]) -> ClientWire:
        """The wire, which is not started; `new_wire` makes it from a raw socket, if there is one."""
        ...

    async def refuse(self, code: int, reason: str) -> None:
        """Close it."""
        ...
