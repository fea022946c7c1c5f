"""Help for a browser that comes back after its connection was cut off in the middle of a message.

BokehJS, also 3.10, then takes the next frames for the missing buffers. Empty buffers, as many as may be missing, bring
it back.
"""

from __future__ import annotations

from app_server.protocol import codec
from app_server.protocol.codec import Frame
from app_server.session.connection import Connection

_UNKNOWN_BUFFERS = 32
"""For how many missing buffers a page is helped at first if its last message was sent by another process."""

_MOST_MISSING_BUFFERS = 4096


class Realignment:
    """Whether a client of one session may have been cut off in a message, and how many buffers it may lack."""

    def __init__(self) -> None:
        self.cut_off = False
        """Whether some client was cut off; the next one that comes may be the same page."""
        self._most_buffers = 0

    def expect_returning_page(self) -> None:
        """Take the next client for one that was cut off by another process: what it got last is not known."""
        self.cut_off = True
        self._most_buffers = _UNKNOWN_BUFFERS

    def sent(self, buffers: int) -> None:
        """A message with so many buffers was sent."""
        self._most_buffers = max(self._most_buffers, buffers)

    def left(self, connection: Connection) -> None:
        """A client has gone."""
        self.cut_off = self.cut_off or connection.maybe_cut_off

    def frames(self, connection: Connection, round_number: int) -> list[Frame]:
        """What brings this client back if it is stuck; nothing if it cannot be.

        Each round, counted from 0, allows for twice as many buffers as the one before.
        """
        if not self.cut_off or not connection.from_browser or connection.asked:
            return []
        buffers = min((self._most_buffers + 1 << round_number) - 1, _MOST_MISSING_BUFFERS)
        return codec.realignment(round_number, buffers)
