"""What a session asks of whatever runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app_server.document.callbacks import SessionCallback


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
