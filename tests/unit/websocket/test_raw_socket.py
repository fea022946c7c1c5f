"""The socket that Tornado's handshake has left: it becomes a wire, or ends with a refusal."""

from __future__ import annotations

import socket

import pytest
from tornado.iostream import IOStream, StreamClosedError

from app_server.observe.gauges import ApplicationGauges
from app_server.protocol.websocket import CLOSE, close_payload
from app_server.websocket.owner import WireLimits
from app_server.websocket.raw_socket import RawSocket
from tests.unit.websocket.making import MESSAGES, STREAM, Heard, settled


async def test_wire_begins_with_what_tornado_has_read(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    stream, owner, traffic = IOStream(ours), Heard(), ApplicationGauges()
    theirs.send(b"head\r\n\r\n" + STREAM)
    await stream.read_until(b"\r\n\r\n")
    wire = RawSocket(stream).wire(owner, WireLimits(2**20, 2**20), traffic)
    assert owner.whole == [] and wire.pack is None
    wire.start()
    await settled()
    assert owner.whole == MESSAGES and traffic.bytes_in == len(STREAM)
    wire.abort()


async def test_refusal_is_a_close_frame_and_the_end(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    await RawSocket(IOStream(ours)).refuse(1013, "full")
    payload = close_payload(1013, "full")
    assert theirs.recv(100) == bytes((0x80 | CLOSE, len(payload))) + payload
    assert theirs.recv(100) == b""


async def test_client_that_has_gone_gets_neither(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    opened = RawSocket(IOStream(ours))
    theirs.close()
    with pytest.raises(StreamClosedError):
        opened.wire(Heard(), WireLimits(1, 1), ApplicationGauges())
    with pytest.raises((StreamClosedError, OSError)):
        await opened.refuse(1013, "full")
