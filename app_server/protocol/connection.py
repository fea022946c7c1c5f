"""An open WebSocket between its two handshakes: answers to PINGs, and the closing handshake (RFC 6455). Sans I/O.

Both sides use it. The caller parses frames, passes on the control frames, and sends the frames that it gets back; a
client masks them, a server does not. It asks `state` before it sends or reads anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeAlias

from app_server.protocol.websocket import CLOSE, PING, PONG, close_payload

NO_STATUS: Final = 1005
"""Stands for a Close frame without a code (RFC 6455, section 7.4.1)."""

Frames: TypeAlias = tuple[tuple[int, bytes], ...]
"""Opcodes and payloads to send, in order."""


class ConnectionState(Enum):
    """What may still be sent, and what is still read."""

    OPEN = auto()
    """Everything, in both directions."""
    CLOSING = auto()
    """We have sent a Close frame, and read on for the peer's only (section 7.1.3)."""
    CLOSED = auto()
    """The peer's Close frame has come and has its answer: what is queued is sent, then the socket is closed."""
    FAILED = auto()
    """The peer broke the protocol. We have sent a Close frame, and understand nothing that follows (section 7.1.7)."""
    DISCONNECTED = auto()
    """The socket is closed (section 7.1.4)."""


class ConnectionEvent(Enum):
    """What moves a connection on."""

    CLOSE_SENT = auto()
    CLOSE_RECEIVED = auto()
    VIOLATION = auto()
    SOCKET_CLOSED = auto()


_TRANSITIONS: Final[Mapping[tuple[ConnectionState, ConnectionEvent], ConnectionState]] = {
    # "Upon either sending or receiving a Close control frame, it is said that _The WebSocket Closing Handshake is
    # Started_ and that the WebSocket connection is in the CLOSING state" (section 7.1.3).
    (ConnectionState.OPEN, ConnectionEvent.CLOSE_SENT): ConnectionState.CLOSING,
    # "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close
    # frame in response" (section 5.5.1); with that, both have been sent.
    (ConnectionState.OPEN, ConnectionEvent.CLOSE_RECEIVED): ConnectionState.CLOSED,
    # "After both sending and receiving a Close message, an endpoint considers the WebSocket connection closed and
    # MUST close the underlying TCP connection" (section 5.5.1).
    (ConnectionState.CLOSING, ConnectionEvent.CLOSE_RECEIVED): ConnectionState.CLOSED,
    # "An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from the remote
    # endpoint after being instructed to _Fail the WebSocket Connection_" (section 7.1.7).
    (ConnectionState.OPEN, ConnectionEvent.VIOLATION): ConnectionState.FAILED,
    (ConnectionState.CLOSING, ConnectionEvent.VIOLATION): ConnectionState.FAILED,
    **{(state, ConnectionEvent.SOCKET_CLOSED): ConnectionState.DISCONNECTED for state in ConnectionState},
}
"""The state after an event; an event that is not listed for a state leaves it as it is."""


def next_state(state: ConnectionState, event: ConnectionEvent) -> ConnectionState:
    """The state in which this event leaves a connection."""
    return _TRANSITIONS.get((state, event), state)


class FrameConnection:
    """One end of a WebSocket, from the opening handshake to the end."""

    def __init__(self) -> None:
        self.state = ConnectionState.OPEN
        self.close_code: int | None = None
        """The code of the first Close frame, from either end; `NO_STATUS` if it has none, None before there is one."""
        self.close_reason = ""
        self.unanswered_ping: bytes | None = None
        """The payload of the newest PING that has no answer yet."""

    def receive(self, opcode: int, payload: bytes) -> Frames:
        """Handle a control frame; the frames to answer with."""
        if opcode == PING:
            self.receive_ping(payload)
            return self.pong()
        return self.receive_close(payload) if opcode == CLOSE else ()

    def receive_ping(self, payload: bytes) -> None:
        """Keep a PING for `pong`, in place of one that has no answer yet."""
        self.unanswered_ping = payload

    def pong(self) -> Frames:
        """The answer to the newest PING, if it has none yet.

        A peer that sends PINGs faster than it reads the answers gets one for all: an endpoint "MAY elect to send a Pong
        frame for only the most recently processed Ping frame" (section 5.5.3).
        """
        payload, self.unanswered_ping = self.unanswered_ping, None
        if payload is None or self.state is not ConnectionState.OPEN:
            return ()  # "unless it already received a Close frame" (section 5.5.2)
        return ((PONG, payload),)

    def receive_close(self, payload: bytes) -> Frames:
        """Handle the peer's Close frame; the one to answer with, if ours has not been sent."""
        was_open = self.state is ConnectionState.OPEN
        self._advance(ConnectionEvent.CLOSE_RECEIVED)
        if not was_open:
            return ()
        self.close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else NO_STATUS
        self.close_reason = payload[2:].decode("utf-8", "replace")
        # "When sending a Close frame in response, the endpoint typically echos the status code it received"
        # (section 5.5.1).
        return ((CLOSE, payload[:2]),)

    def close(self, code: int, reason: str = "") -> Frames:
        """Start the closing handshake; the frames to send, none if a Close frame has been sent already."""
        return self._close(ConnectionEvent.CLOSE_SENT, code, reason)

    def fail(self, code: int, reason: str = "") -> Frames:
        """Stop reading after a violation; the frames to send, none if a Close frame has been sent already.

        "An endpoint SHOULD send a Close frame with an appropriate status code" then (section 7.1.7).
        """
        return self._close(ConnectionEvent.VIOLATION, code, reason)

    def disconnect(self) -> None:
        """Note that the socket is closed."""
        self._advance(ConnectionEvent.SOCKET_CLOSED)

    def _close(self, event: ConnectionEvent, code: int, reason: str) -> Frames:
        was_open, pong = self.state is ConnectionState.OPEN, self.pong()
        self._advance(event)
        if not was_open:
            return ()  # there is one Close frame from each end
        self.close_code, self.close_reason = code, reason
        return (*pong, (CLOSE, close_payload(code, reason)))

    def _advance(self, event: ConnectionEvent) -> None:
        self.state = next_state(self.state, event)
