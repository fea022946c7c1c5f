"""What the engine needs from a client's connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from app_server.protocol.codec import Frame

Pack: TypeAlias = Callable[[Iterable[Frame]], list[Any]]
"""Turns frames into what a connection writes."""


class FrameSink(Protocol):
    """Where the frames for one connection go."""

    @property
    def pack(self) -> Pack | None:
        """What turns frames into what `write` takes; None for the bytes of RFC 6455, which connections share."""
        ...

    @property
    def queued_bytes(self) -> int: ...

    @property
    def is_late(self) -> bool: ...

    @property
    def has_room(self) -> bool: ...

    @property
    def late_by_s(self) -> float: ...

    def write(self, chunks: Sequence[Any]) -> None: ...

    def close(self, code: int, reason: str = "") -> None: ...

    def give_up(self, waiting_bytes: int, why: str) -> None: ...

    def watch_closely(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...
