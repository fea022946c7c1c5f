"""One connected client: its wire on one side, its session on the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tornado.ioloop import IOLoop

from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import PeerError, TooLargeError
from app_server.protocol.messages import EARLY_REQUEST, Message
from app_server.protocol.receiver import Receiver
from app_server.requests.ended_page import too_large
from app_server.requests.state.server_state import ServerState
from app_server.session.connection import Connection
from app_server.session.session import Session
from app_server.websocket.owner import ClientSocket
from app_server.websocket.wire import Wire

log = logging.getLogger(__name__)

REALIGN_AFTER_S = 1.0
"""When a returning client that has not asked for its document may be stuck. A page that is only busy is not harmed:
what it is sent leaves it as it is."""

_LOADING_S = 30.0
"""How long a page may take to load BokehJS, which then asks for the document. The page's script opens the socket
before, and what it is sent meanwhile would slow the loading down."""

_REALIGN_ROUNDS = 8
"""Each one waits twice as long as the one before: the last comes after two minutes."""

_CUT_OFF_WITHIN_S = 60.0
"""What was sent longer ago than this had come whole, or the connection would have been given up before."""


def _closing_reason(error: PeerError) -> str:
    """What a client did wrong; if it sent too much, the setting that allows it."""
    if error.close_code != 1009:
        return f"it broke the protocol: {error}"
    what = error.what
    if isinstance(error, TooLargeError):
        what = f"a message of {error.size} is larger than {error.limit:,} bytes"
    return f"{what}. To accept larger messages, such as uploads, raise --websocket-max-message-size"


def realign_after_s(page_age_s: float) -> float:
    """When a client may be stuck that opens a session which was not here; its page was made `page_age_s` ago.

    A page that has just been made is most likely still loading, and has not been cut off.
    """
    return min(max(_LOADING_S - page_age_s, REALIGN_AFTER_S), _LOADING_S)


class Client:
    """One connected client: its wire on one side, its session on the other."""

    new_wire: Callable[..., Wire] = staticmethod(Wire)
    """What makes the wire from a raw socket."""

    def __init__(self, runtime: ApplicationRuntime, remote: str, from_browser: bool) -> None:
        self.runtime = runtime
        self.connection = Connection(next(runtime.connection_numbers), remote, from_browser)

    def open(
        self,
        opened: ClientSocket,
        session: Session,
        state: ServerState,
        realign_after_s: float = REALIGN_AFTER_S,
    ) -> None:
        """Take the opened socket, greet the client and begin to read.

        After `realign_after_s` it is helped if it has not asked for its document.
        """
        limits = state.policy.wire_limits
        self.session = session
        self._max_message_bytes = limits.max_message_bytes
        self._receiver = Receiver(limits.max_message_bytes, session.is_root)
        self.wire = opened.wire(self, limits, self.runtime.gauges, self.new_wire)
        self._wires = state.process.wires
        self._wires.add(self.wire)
        self.runtime.connect(session, self.connection, self.wire)
        self.wire.start()
        if self.connection.from_browser:
            IOLoop.current().call_later(realign_after_s, self._realign, 0)

    def ask_for_document(self) -> None:
        """Answer the request for the document that the client is going to make."""
        self.runtime.receive(self.session, self.connection, EARLY_REQUEST)

    def _realign(self, round_number: int) -> None:
        """Help a receiver that may be stuck, one round after the other, until the client asks for its document."""
        if self.connection.asked or self.wire.closed or round_number == _REALIGN_ROUNDS:
            return
        self.runtime.realign(self.session, self.connection, round_number)
        IOLoop.current().call_later(REALIGN_AFTER_S * 2**round_number, self._realign, round_number + 1)

    def frame_received(self, opcode: int, payload: bytes) -> None:
        """A frame has come; PeerError where it does not fit."""
        try:
            message = self._receiver.feed(opcode, payload)
        except PeerError as error:
            if not self._skips(error):
                raise
            message = self._receiver.discard()
        if message is not None:
            self._pass_on(message)

    def _pass_on(self, message: Message) -> None:
        try:
            self.runtime.receive(self.session, self.connection, message, self.wire.last_heard_s)
        except Exception:
            log.exception("%s: a message could not be handled; this is a fault of the server", self.session.name)
            self.wire.close(1011, "a fault of the server; see its log")

    def frame_discarded(self) -> None:
        """A frame that was too large, and is not needed, has been skipped."""
        message = self._receiver.discard()
        if message is not None:
            self._pass_on(message)

    def may_discard(self, opcode: int, prefix: bytes) -> bool:
        """Whether a frame that is too large may go by rather than end the connection."""
        return self._receiver.may_discard(opcode, prefix) or self._skips(None)

    def _skips(self, error: PeerError | None) -> bool:
        """Whether a message that is too large goes by: a page that never comes back must not lose its connection.

        Its document is not aligned with the session's then: it shows what was not received, and says so.
        """
        if error is not None and error.close_code != 1009:
            return False
        comes_back = bool(self.session.document.config.reconnect_session)
        if comes_back or not self.connection.from_browser or not self._receiver.skip():
            return False
        limit = self._max_message_bytes
        what = _closing_reason(error if error is not None else TooLargeError(limit, limit + 1, whole=False))
        log.warning("%s: ignoring a message from %s: %s", self.session.name, self.connection.remote, what)
        self.runtime.show_notice(self.session, self.connection, too_large(limit), again=False)
        return True

    def refused(self, error: PeerError) -> None:
        """The client has sent what ends its connection."""
        log.warning(
            "%s: closing the connection from %s: %s", self.session.name, self.connection.remote, _closing_reason(error)
        )
        if error.close_code == 1009:
            self.runtime.show_notice(self.session, self.connection, too_large(self._max_message_bytes))

    def wire_caught_up(self) -> None:
        """The client has read what it was sent."""
        self.runtime.caught_up(self.session, self.connection)

    def wire_closed(self, code: int, reason: str) -> None:
        """The connection is over."""
        self._wires.discard(self.wire)
        self.connection.note_lost(maybe_cut_off=time.monotonic() - self.wire.last_sent_s < _CUT_OFF_WITHIN_S)
        log.debug("%s: a connection closed: %d %s", self.session.name, code, reason)
        self.runtime.disconnect(self.session, self.connection)
