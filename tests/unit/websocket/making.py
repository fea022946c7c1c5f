"""Wires over a pair of connected sockets, whose other end reads when the test does."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

from app_server.errors import PeerError
from app_server.protocol.websocket import BINARY, PING, TEXT
from app_server.websocket.owner import WireLimits
from app_server.websocket.wire import Wire

SMALL_BYTES = 4096


@dataclass
class Owner:
    """Notes what it hears."""

    closed: list[int] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    now_s: float = 0.0

    def clock(self) -> float:
        """The time, which goes on with each frame."""
        return self.now_s

    def frame_received(self, opcode: int, payload: bytes) -> None:
        """Take 8 ms."""
        self.frames.append(payload)
        self.now_s += 0.008

    def frame_discarded(self) -> None:
        """Nothing to do."""

    def may_discard(self, opcode: int, prefix: bytes) -> bool:
        """No frame is."""
        return False

    def wire_caught_up(self) -> None:
        """Nothing to do."""

    def refused(self, error: PeerError) -> None:
        """The test has broken the protocol."""
        raise error

    def wire_closed(self, code: int, reason: str) -> None:
        """The connection is over."""
        self.closed.append(code)


def wire_on(sock: socket.socket) -> Wire:
    """A wire that reads from this socket."""
    wire = Wire(sock, Owner(), WireLimits(2**20, 64 * 2**20))
    wire.start()
    return wire


def masked(opcode: int, payload: bytes = b"") -> bytes:
    """A client's frame, with a mask of zeros."""
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def read_all(wire: Wire, theirs: socket.socket) -> bytes:
    """Everything that the wire has to say."""
    found = b""
    while True:
        try:
            found += theirs.recv(2**20)
        except BlockingIOError:
            if not wire.queued_bytes:
                return found
            wire._flush()


@dataclass
class Heard(Owner):
    """Notes everything, also what breaks the protocol, at a time that stands still."""

    whole: list[tuple[int, bytes]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    refuses: bytes | None = None
    discards: bool = False

    def frame_received(self, opcode: int, payload: bytes) -> None:
        """Refuse one payload, if there is one to be refused."""
        self.whole.append((opcode, payload))
        if payload == self.refuses:
            raise PeerError("it is not what was asked for", close_code=1003)

    def frame_discarded(self) -> None:
        """One has gone by."""
        self.heard.append("discarded")

    def may_discard(self, opcode: int, prefix: bytes) -> bool:
        """Whether frames that are too large may go by."""
        return self.discards

    def wire_caught_up(self) -> None:
        """The client has read all."""
        self.heard.append("caught up")

    def refused(self, error: PeerError) -> None:
        """The client has broken the protocol."""
        self.heard.append(f"refused: {error}")

    def wire_closed(self, code: int, reason: str) -> None:
        """The connection is over."""
        self.heard.append(f"closed: {code} {reason}")


def masked_of_any_size(opcode: int, payload: bytes, *, last: bool = True) -> bytes:
    """A client's frame, as long as it needs to be; or a part of one that others follow."""
    size = len(payload)
    length = (
        bytes([0x80 | size])
        if size < 126
        else b"\xfe" + size.to_bytes(2, "big")
        if size < 65536
        else b"\xff" + size.to_bytes(8, "big")
    )
    return bytes([(0x80 if last else 0) | opcode]) + length + bytes(4) + payload


async def settled() -> None:
    """Let the loop see what sockets have brought."""
    for _ in range(4):
        await asyncio.sleep(0)


def heard_on(sock: socket.socket, owner: Heard | None = None, **limits: int) -> tuple[Wire, Heard]:
    """A wire that reads from this socket, and what it has heard."""
    owner = owner or Heard()
    wire = Wire(sock, owner, WireLimits(limits.get("message", 2**20), limits.get("queue", 2**20)), clock=owner.clock)
    wire.start()
    return wire, owner


STREAM = (
    masked_of_any_size(TEXT, b"short")
    + masked_of_any_size(TEXT, b"in parts, ", last=False)
    + masked(PING, b"between")
    + masked_of_any_size(0, b"and whole")
    + masked_of_any_size(BINARY, b"x" * 130)
)
MESSAGES = [(TEXT, b"short"), (TEXT, b"in parts, and whole"), (BINARY, b"x" * 130)]
