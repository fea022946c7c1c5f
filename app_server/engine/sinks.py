"""What the engine needs from a client's connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app_server.protocol.deflate import Deflate
from app_server.protocol.websocket import Payload


class FrameSink(Protocol):
    """Where the frames for one connection go."""

    @property
    def deflate(self) -> Deflate | None: ...

    @property
    def queued_bytes(self) -> int: ...

    @property
    def is_late(self) -> bool: ...

    @property
    def has_room(self) -> bool: ...

    @property
    def late_by_s(self) -> float: ...

    def write(self, chunks: Sequence[Payload]) -> None: ...

    def close(self, code: int, reason: str = "") -> None: ...

    def give_up(self, waiting_bytes: int, why: str) -> None: ...

    def watch_closely(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...
