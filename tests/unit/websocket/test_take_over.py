"""A socket that Tornado had, and that a wire reads from next."""

from __future__ import annotations

import socket

import pytest
from tornado.iostream import IOStream, StreamClosedError

from app_server.protocol.websocket import TEXT
from app_server.websocket.owner import WireLimits
from app_server.websocket.take_over import take_over
from app_server.websocket.wire import Wire
from tests.unit.websocket.making import MESSAGES, STREAM, Heard, masked, settled


async def test_socket_is_taken_over_with_what_was_read_from_it(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    stream = IOStream(ours)
    theirs.send(b"head\r\n\r\n" + STREAM)
    await stream.read_until(b"\r\n\r\n")
    sock, left_over = take_over(stream)
    assert sock is ours and left_over == STREAM
    owner = Heard()
    wire = Wire(sock, owner, WireLimits(2**20, 2**20), clock=owner.clock, left_over=left_over)
    wire.start()
    theirs.send(masked(TEXT, b"more"))
    await settled()
    assert owner.whole == [*MESSAGES, (TEXT, b"more")]
    wire.abort()


async def test_socket_of_which_nothing_was_read_is_taken_over(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    assert take_over(IOStream(ours)) == (ours, b"")


@pytest.mark.parametrize("by", ["us", "them"])
async def test_socket_of_a_client_that_is_gone_is_not_taken_over(
    ends: tuple[socket.socket, socket.socket], by: str
) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    stream = IOStream(ours)
    stream.close() if by == "us" else theirs.close()
    with pytest.raises(StreamClosedError):
        take_over(stream)
