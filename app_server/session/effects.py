"""What a session asks of what runs it: effects to perform after a turn, in their order, and calls at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from app_server.document.callbacks import SessionCallback
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


class SessionHost(Protocol):
    """What runs a session. All of its methods but `failed` may be called in any thread."""

    @property
    def failed(self) -> Callable[[], None]:
        """Called while an exception of the application's code is at hand."""

    def wake(self) -> None:
        """Call the session's `flush` soon: its document has changed outside of a turn."""

    def send_now(self) -> None:
        """Call the session's `flush` in the middle of a turn."""

    def callback_added(self, callback: SessionCallback) -> None:
        """Call the session's `run` with this callback when it is due."""

    def callback_removed(self, ident: str) -> None:
        """Do not call `run` with this callback any more."""
