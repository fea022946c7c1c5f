"""A wire over a pair of connected sockets, whose other end reads when the test does."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from app_server.errors import PeerError
from app_server.protocol.websocket import CLOSE, PING, TEXT
from app_server.transport.wire import Wire, WireLimits

_SMALL = 4096


@dataclass
class Owner:
    """Notes what it is told."""

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


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets between which little fits."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
    with ours, theirs:
        theirs.setblocking(False)
        yield ours, theirs


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


async def test_pings_of_a_client_that_does_not_read_cost_no_memory(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire = wire_on(ours)
    wire.write([bytes(2**16)])
    waiting = wire.queued_bytes
    assert waiting > 0
    for number in range(1000):
        wire._received(masked(PING, b"%03d" % number) * 20)
    assert wire.queued_bytes == waiting
    wire.write([b"next"])
    assert wire.queued_bytes < waiting + 100
    found = read_all(wire, theirs)
    assert found.endswith(b"\x8a\x03999next") and found.count(b"\x8a\x03") == 1
    wire.abort()


async def test_newest_ping_is_answered_when_what_waited_is_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire = wire_on(ours)
    wire.write([bytes(2**16)])
    wire._received(masked(PING, b"one") + masked(PING, b"two"))
    assert read_all(wire, theirs).endswith(b"\x8a\x03two")
    wire._received(masked(PING, b"three"))
    assert theirs.recv(100) == b"\x8a\x05three"
    wire.abort()


async def test_ping_before_a_close_frame_needs_no_answer(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire = wire_on(ours)
    wire._received(masked(PING, b"one") + masked(CLOSE, b"\x03\xe8"))
    assert theirs.recv(100) == b"\x88\x02\x03\xe8"
    assert wire.closed


async def test_many_small_answers_that_wait_cost_no_more_time_each(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    wire = wire_on(ours)
    for _ in range(300_000):
        wire.write([b"an answer"])
    began_s = time.process_time()
    for _ in range(20):
        theirs.recv(_SMALL)
        wire._flush()
    assert time.process_time() - began_s < 0.2
    assert wire.queued_bytes > 2 * 2**20
    wire.abort()


async def test_array_that_waits_is_sent_as_it_was(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire = wire_on(ours)
    arrays = [bytearray(b"%d" % number * 2**15) for number in range(4)]
    wire.write([memoryview(array) for array in arrays[:2]])
    wire.write([memoryview(array) for array in arrays[2:]])
    for array in arrays:
        array[:] = b"x" * len(array)
    assert read_all(wire, theirs).replace(b"\x89\x04", b"").count(b"x") == 0
    wire.abort()


async def test_client_of_many_messages_takes_turns_with_others(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    owner = Owner()
    wire = Wire(ours, owner, WireLimits(2**20, 2**20), clock=owner.clock)
    wire.start()
    theirs.send(b"".join(masked(TEXT, b"%d" % number) for number in range(10)))
    turns = []
    while len(owner.frames) < 10:
        await asyncio.sleep(0)
        turns.append(len(owner.frames))
        theirs.send(masked(TEXT, b"later")) if turns[-1] == 3 and turns.count(3) == 1 else None
    assert {3, 6, 9} <= set(turns)
    await asyncio.sleep(0.01)
    assert owner.frames == [*(b"%d" % number for number in range(10)), b"later"]
    wire.abort()


async def test_client_that_goes_in_the_middle_of_its_messages_is_over(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    owner = Owner()
    wire = Wire(ours, owner, WireLimits(2**20, 2**20), clock=owner.clock)
    wire._received(masked(TEXT, b"x") * 10)
    wire.abort()
    await asyncio.sleep(0.01)
    assert len(owner.frames) == 3 and len(owner.closed) == 1


async def test_violation_behind_many_messages_ends_the_connection(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    owner = Owner()
    wire = Wire(ours, owner, WireLimits(2**20, 2**20), clock=owner.clock)
    wire._received(masked(TEXT, b"x") * 10 + b"\x81\x00")
    with pytest.raises(PeerError):  # the owner raises it
        while True:
            wire._go_on()
    assert len(owner.frames) == 10
    wire.abort()
