"""What a session allows its clients, and what it survives."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

FAULTS = BaseException
"""What an application's code may raise without ending more than itself: neither sys.exit() nor a future of its own that
was cancelled may end the server, or leave a client without its answer. Only Ctrl-C passes, in `log_failure`."""


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What a session allows; `show_tracebacks` is for development only."""

    max_message_bytes: int
    show_tracebacks: bool = False

    def describe(self, error: BaseException) -> str:
        """What a client reads about an exception of the application."""
        if self.show_tracebacks:
            return "".join(traceback.format_exception(error))
        return "the application raised an exception; see the server's log"
