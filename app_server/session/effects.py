"""What the runtime has to do after a turn; values, in the order in which they are to happen."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from app_server.protocol.codec import Frame
from app_server.session.connection import Connection


class Role(Enum):
    """What a message is, for a client that is too slow to be sent it at once."""

    ANSWER = "answer"
    """It keeps its place among the changes that wait."""
    CHANGES = "changes"
    """A PATCH-DOC: values in it may be replaced by newer ones while it waits."""
    STATE = "state"
    """It holds, or confirms, a whole document: no later change may go before it."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send these frames to each of these connections, which share one encoding."""

    connections: Sequence[Connection]
    frames: Sequence[Frame]
    role: Role = Role.ANSWER


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
