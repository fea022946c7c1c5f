"""What the runtime has to do after a turn; values, in the order in which they are to happen."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app_server.protocol.codec import Frame
from app_server.session.connection import Connection


@dataclass(frozen=True, slots=True)
class Send:
    """Send these frames to each of these connections, which share one encoding."""

    connections: Sequence[Connection]
    frames: Sequence[Frame]


@dataclass(frozen=True, slots=True)
class Close:
    """Close this connection with a code of RFC 6455, section 7.4."""

    connection: Connection
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Await:
    """Await what a callback returned; while `locked`, no other turn of the session may begin."""

    awaitable: Awaitable[object]
    locked: bool
    name: str


Effect: TypeAlias = Send | Close | Await
