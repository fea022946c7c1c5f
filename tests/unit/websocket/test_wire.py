"""A wire over a pair of connected sockets, whose other end reads when the test does."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import trustme

from app_server.errors import PeerError
from app_server.observe.gauges import ApplicationGauges
from app_server.protocol.websocket import BINARY, CLOSE, PING, PONG, TEXT, frame_header
from app_server.websocket.owner import WireLimits
from app_server.websocket.wire import Wire
from tests.support.clock import SkippingLoop, skipping_loop
from tests.unit.websocket.making import (
    MESSAGES,
    SMALL_BYTES,
    STREAM,
    Heard,
    Owner,
    heard_on,
    masked,
    masked_of_any_size,
    read_all,
    settled,
    wire_on,
)


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
    for _ in range(300):
        wire.write([b"an answer"] * 1000)
    began_s = time.process_time()
    for _ in range(20):
        theirs.recv(SMALL_BYTES)
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


# What comes in


async def test_messages_are_the_same_wherever_their_bytes_are_split() -> None:
    for split in range(1, len(STREAM)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            wire, owner = heard_on(ours)
            theirs.send(STREAM[:split])
            await settled()
            theirs.send(STREAM[split:])
            await settled()
            assert owner.whole == MESSAGES, split
            assert theirs.recv(100) == b"\x8a\x07between"
            wire.abort()


async def test_messages_that_come_byte_by_byte_are_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    for number in range(len(STREAM)):
        theirs.send(STREAM[number : number + 1])
        await settled()
    assert owner.whole == MESSAGES
    wire.abort()


async def test_bytes_that_came_before_are_read_first(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    owner, traffic = Heard(), ApplicationGauges()
    first = STREAM[:20]
    wire = Wire(ours, owner, WireLimits(2**20, 2**20), traffic=traffic, clock=owner.clock, left_over=first)
    theirs.send(STREAM[20:])
    wire.start()
    await settled()
    assert owner.whole == MESSAGES
    assert (traffic.bytes_in, traffic.bytes_out) == (len(STREAM), len(b"\x8a\x07between"))
    wire.abort()


async def test_message_larger_than_what_is_read_at_once_is_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    payload = bytes(range(256)) * 3000
    data = memoryview(masked_of_any_size(BINARY, payload) + masked(TEXT, b"next"))
    while data:
        try:
            data = data[theirs.send(data) :]
        except BlockingIOError:
            await settled()
    await settled()
    assert owner.whole == [(BINARY, payload), (TEXT, b"next")]
    wire.abort()


@pytest.mark.parametrize("split", [1, 7, 30, 39])
async def test_client_that_goes_in_the_middle_of_a_frame_is_over(
    ends: tuple[socket.socket, socket.socket], split: int
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    theirs.send(STREAM[:split])
    theirs.close()
    await settled()
    assert owner.heard == ["closed: 1006 the client went away"] and wire.closed
    assert owner.whole == MESSAGES[: len(owner.whole)] and len(owner.whole) < 3


async def test_connection_that_is_reset_is_over_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours:
        wire, owner = heard_on(ours)
        theirs.send(STREAM[:3])
        await settled()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()
        await settled()
        assert owner.heard == ["closed: 1006 Connection reset by peer"]


async def test_message_that_its_owner_refuses_ends_the_connection_with_its_code(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours, Heard(refuses=b"bad"))
    theirs.send(masked(TEXT, b"good") + masked(TEXT, b"bad") + masked(TEXT, b"late"))
    await settled()
    assert owner.heard == ["refused: it is not what was asked for"]
    assert [payload for _, payload in owner.whole] == [b"good", b"bad"]
    assert theirs.recv(100) == b"\x88\x1e\x03\xebit is not what was asked for"
    theirs.send(masked(CLOSE, b"\x03\xeb"))
    await settled()
    assert owner.heard[1:] == ["closed: 1003 it is not what was asked for"]


async def test_bytes_that_are_no_frames_end_the_connection_in_our_direction_at_once(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    theirs.send(b"\x81\x01x" + masked(TEXT, b"late"))
    await settled()
    assert len(owner.heard) == 1 and owner.heard[0].startswith("refused: ") and not owner.whole
    assert theirs.recv(100)[:4] == b"\x88" + bytes([len(owner.heard[0]) - 9 + 2]) + b"\x03\xea"
    assert theirs.recv(100) == b"", "there is nothing to wait for"
    theirs.send(masked(TEXT, b"later"))
    theirs.close()
    await settled()
    assert not owner.whole and owner.heard[1].startswith("closed: 1002 ")


async def test_what_its_owner_says_of_a_violation_leaves_before_the_close_frame(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    class Saying(Heard):
        def refused(self, error: PeerError) -> None:
            wire.write([frame_header(TEXT, 5), b"sorry"])

    ours, theirs = ends
    wire, _ = heard_on(ours, Saying(), message=1000)
    theirs.send(masked_of_any_size(BINARY, bytes(1001)))
    await settled()
    assert theirs.recv(100).startswith(b"\x81\x05sorry\x88")
    wire.abort()


@pytest.mark.parametrize("discards", [True, False])
async def test_message_that_is_too_large_goes_by_or_ends_the_connection(
    ends: tuple[socket.socket, socket.socket], discards: bool
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours, Heard(discards=discards), message=1000)
    theirs.send(masked_of_any_size(BINARY, bytes(1001)) + masked(TEXT, b"next"))
    await settled()
    if discards:
        assert owner.heard == ["discarded"] and owner.whole == [(TEXT, b"next")]
    else:
        assert len(owner.heard) == 1 and owner.heard[0].startswith("refused: ") and not owner.whole
        assert theirs.recv(4)[2:] == b"\x03\xf1"
    wire.abort()


async def test_paused_wire_reads_nothing_until_it_goes_on(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    wire.pause()
    theirs.send(masked(TEXT, b"one"))
    await settled()
    assert not owner.whole
    wire.write([b"answer"])
    assert theirs.recv(10) == b"answer"
    wire.resume()
    wire.resume()
    await settled()
    assert owner.whole == [(TEXT, b"one")]
    wire.abort()


# How a connection ends


@pytest.mark.parametrize("paused", [False, True])
async def test_close_frame_that_is_answered_ends_the_connection(
    ends: tuple[socket.socket, socket.socket], paused: bool
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    wire.pause() if paused else None
    wire.close(1001, "goodbye")
    wire.close(1002, "a second one says nothing")
    wire.write([b"nor does this"])
    wire.ping()
    wire.pause() if paused else None
    assert theirs.recv(100) == b"\x88\x09\x03\xe9goodbye"
    theirs.send(masked(TEXT, b"too late") + masked(CLOSE, b"\x03\xe9"))
    await settled()
    assert owner.heard == ["closed: 1001 goodbye"] and not owner.whole and wire.closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.getsockname()


def test_close_frame_that_nobody_answers_ends_the_connection_after_five_seconds() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, skipping_loop() as loop:
        owner = Heard()

        async def close() -> None:
            heard_on(ours, owner)[0].close(1001, "goodbye")

        loop.run_until_complete(close())
        loop.run_for(4.9)
        assert owner.heard == []
        loop.run_for(0.2)
        assert owner.heard == ["closed: 1001 goodbye"]


@pytest.mark.parametrize(
    ("payload", "answer", "heard"),
    [
        (b"", b"\x88\x00", "closed: 1005 "),
        (b"\x03\xe8", b"\x88\x02\x03\xe8", "closed: 1000 "),
        (b"\x03\xe9bye", b"\x88\x02\x03\xe9", "closed: 1001 bye"),
    ],
)
async def test_clients_close_frame_is_answered(
    ends: tuple[socket.socket, socket.socket], payload: bytes, answer: bytes, heard: str
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    theirs.send(masked(CLOSE, payload))
    await settled()
    assert owner.heard == [heard]
    assert theirs.recv(100) == answer and theirs.recv(100) == b""


async def test_clients_close_frame_is_answered_after_what_waits(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    wire.write([b"x" * 100_000])
    theirs.send(masked(CLOSE, b"\x03\xe8"))
    await settled()
    assert owner.heard == []
    found = b""
    while not found.endswith(b"\x88\x02\x03\xe8"):
        found += theirs.recv(2**20)
        await settled()
    assert found.count(b"x") == 100_000 and owner.heard == ["closed: 1000 "]


async def test_nothing_happens_to_a_connection_that_is_over(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    wire.abort(1011, "a fault")
    for act in (wire.ping, wire.pause, wire.resume, wire.close, wire.abort, wire._go_on, wire._flush):
        act(*(1000,) if act == wire.close else ())
    wire.write([b"x"])
    assert owner.heard == ["closed: 1011 a fault"] and theirs.recv(10) == b""
    assert not wire.is_late and not wire.has_room and not wire.queued_bytes


async def test_client_that_is_gone_is_found_out_by_writing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    theirs.close()
    wire.write([b"x"])
    assert owner.heard == ["closed: 1006 Broken pipe"]


async def test_client_that_is_given_up_is_logged(
    ends: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    with caplog.at_level(logging.WARNING):
        wire.give_up(70, "stopped reading")
    assert caplog.messages == ["Client stopped reading; closing the connection (70 bytes queued)"]
    assert owner.heard == ["closed: 1008 the client does not read"]


# What goes out


async def test_all_chunks_arrive_in_their_order_whatever_the_kernel_takes(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    traffic = ApplicationGauges()
    wire = Wire(ours, Heard(), WireLimits(2**20, 2**30), traffic=traffic, clock=lambda: 0.0)
    expected = b""
    for number in range(300):
        chunk = b"%04d" % number * (number * 7 % 50 * 40)
        wire.write([chunk, b"", memoryview(chunk)])
        expected += chunk * 2
    assert wire.queued_bytes + traffic.bytes_out >= len(expected)
    found = read_all(wire, theirs)
    assert len(found) == traffic.bytes_out and not wire.queued_bytes
    number, pings = 0, 0
    while (at := found.find(b"\x89\x04\0\0")) >= 0:
        found, pings = found[:at] + found[at + 6 :], pings + 1
    assert found == expected and pings > 0
    wire.abort()


async def test_client_that_asks_for_more_than_it_takes_is_not_read_from(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours, queue=50_000)
    wire.write([bytes(100_000)])
    theirs.send(masked(TEXT, b"more"))
    await settled()
    assert not owner.whole
    while wire.queued_bytes:
        theirs.recv(2**20)
        await settled()
    await settled()
    assert owner.whole == [(TEXT, b"more")]
    wire.abort()


async def test_client_is_late_until_it_has_read_and_its_owner_hears_of_that(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    assert not wire.is_late and wire.has_room and wire.late_by_s == 0
    wire.write([bytes(2**19)])
    owner.now_s = 0.5
    assert wire.is_late and not wire.has_room and wire.late_by_s == 0.5
    wire.watch_closely()
    found = b""
    while wire.queued_bytes:
        found += theirs.recv(2**20)
        await settled()
    found += theirs.recv(2**20)
    assert owner.heard == ["caught up"]
    for number in (1, 2):
        assert b"\x89\x04\0\0\0" + bytes([number]) in found
        theirs.send(masked(PONG, bytes([0, 0, 0, number])))
    await settled()
    assert not wire.is_late and wire.has_room and wire.late_by_s == 0
    wire.abort()


def test_client_that_gives_no_answer_is_taken_for_one_that_has_none() -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
    with ours, theirs, skipping_loop() as loop:
        owner = Heard()

        async def write() -> Wire:
            wire = Wire(ours, owner, WireLimits(2**20, 2**30), clock=loop.time)
            wire.start()
            wire.write([bytes(2**20 + 2**18)])
            assert wire.is_late, "so much is not sent before the first answer"
            return wire

        wire = loop.run_until_complete(write())
        theirs.setblocking(False)
        read_with(loop, theirs)
        loop.run_for(0.9)
        assert wire.is_late and owner.heard == []
        loop.run_for(1.2)  # it looks each second
        assert owner.heard == ["caught up"] and not wire.is_late
        wire.abort()


def read_with(loop: SkippingLoop, theirs: socket.socket) -> None:
    """Have the other end read all that comes."""
    loop.add_reader(theirs, lambda: theirs.recv(2**24))


async def test_client_is_gone_that_takes_nothing_or_is_silent_for_too_long(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    wire, owner = heard_on(ours)
    owner.now_s = 74.0
    assert not wire.has_gone(75)
    owner.now_s = 76.0
    assert wire.has_gone(75)
    theirs.send(masked(PONG))
    await settled()
    assert not wire.has_gone(75), "any sign of life is one"
    wire.write([bytes(2**17)])
    owner.now_s = 150.0
    theirs.send(masked(TEXT, b"it speaks"))
    await settled()
    assert not wire.has_gone(75)
    owner.now_s = 152.0
    assert wire.has_gone(75), "but does not read"
    wire.abort()


# TLS


@pytest.fixture
def tls_ends() -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """Two ends of a connection that is encrypted."""
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(ours)
    authority.configure_trust(theirs)
    pair = socket.socketpair()
    shaken: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: shaken.append(ours.wrap_socket(pair[0], server_side=True)))
    thread.start()
    client = theirs.wrap_socket(pair[1], server_hostname="localhost")
    thread.join()
    with shaken[0], client:
        client.setblocking(False)
        yield shaken[0], client


async def test_everything_arrives_over_tls_too(tls_ends: tuple[ssl.SSLSocket, ssl.SSLSocket]) -> None:
    ours, theirs = tls_ends
    owner = Heard()
    wire = Wire(ours, owner, WireLimits(2**20, 2**30), clock=owner.clock)
    wire.start()
    theirs.send(STREAM)
    await settled()
    assert owner.whole == MESSAGES
    wire.write([b"x" * 2**19, b"y" * 10])
    wire.close(1001)
    found = b""
    while not found.endswith(b"\x88\x02\x03\xe9"):
        try:
            found += theirs.recv(2**16)
        except ssl.SSLWantReadError:
            await settled()
    assert found.count(b"x") == 2**19 and found.count(b"y") == 10
    theirs.send(masked(CLOSE, b"\x03\xe9"))
    await settled()
    assert owner.heard == ["closed: 1001 "]


async def test_messages_of_one_tls_record_take_turns_and_none_is_left(
    tls_ends: tuple[ssl.SSLSocket, ssl.SSLSocket],
) -> None:
    ours, theirs = tls_ends
    owner = Owner()
    wire = Wire(ours, owner, WireLimits(2**20, 2**20), clock=owner.clock)
    wire.start()
    theirs.send(b"".join(masked(TEXT, b"%d" % number) for number in range(10)))
    while len(owner.frames) < 10:
        await asyncio.sleep(0)
    assert owner.frames == [b"%d" % number for number in range(10)]
    wire.abort()
