"""The queue over a pair of connected sockets between which little fits."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app_server.observe.gauges import ApplicationGauges
from app_server.websocket.write_queue import WriteQueue, size_of


@pytest.fixture
def queue_and_peer() -> Iterator[tuple[WriteQueue, socket.socket, ApplicationGauges]]:
    """A queue, the socket that reads what it sends, and where its bytes are counted."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        traffic = ApplicationGauges()
        yield WriteQueue(ours, traffic), theirs, traffic


Queued = tuple[WriteQueue, socket.socket, ApplicationGauges]


def test_chunk_that_the_kernel_takes_leaves_nothing(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    assert queue.send_at_once(b"all") == () and queue.send_at_once(memoryview(b" of it")) == ()
    assert peer.recv(100) == b"all of it" and traffic.bytes_out == 9


def test_rest_of_a_chunk_comes_back(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    (rest,) = queue.send_at_once(bytes(2**20))
    assert traffic.bytes_out + size_of(rest) == 2**20 and traffic.bytes_out > 0


def test_chunk_that_the_kernel_refuses_comes_back_whole(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    while queue.send_at_once(bytes(2**16)) == ():
        pass
    before = traffic.bytes_out
    assert queue.send_at_once(b"more") == (b"more",) and traffic.bytes_out == before


def test_several_chunks_leave_in_one_call_and_empty_ones_with_them(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    queue.append([b"one", b"", memoryview(b"two"), b""])
    assert queue.queued_bytes == 6
    queue.send()
    assert peer.recv(100) == b"onetwo" and not queue.chunks and queue.queued_bytes == 0 and traffic.bytes_out == 6


def test_kernel_that_is_full_leaves_the_rest_in_order(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    queue.append([b"a" * 1000, b"b" * 2**20, b"c"])
    found = b""
    while queue.chunks:
        queue.send()
        found += peer.recv(2**21)
        assert queue.queued_bytes == 1001 + 2**20 - traffic.bytes_out
    assert found == b"a" * 1000 + b"b" * 2**20 + b"c"


@pytest.mark.parametrize("copied", ["as it is queued", "later"])
def test_array_is_copied_before_it_changes(queue_and_peer: Queued, copied: str) -> None:
    queue, peer, traffic = queue_and_peer
    array = bytearray(b"before")
    if copied == "later":
        queue.append([memoryview(array)])
        queue.own()
    else:
        queue.append_copies([memoryview(array)])
    array[:] = b"after!"
    queue.send()
    assert peer.recv(100) == b"before"


def test_view_of_bytes_is_not_copied(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    rest = memoryview(b"the rest of a chunk")[4:]
    queue.append_copies([rest])
    assert queue.chunks[0] is rest


def test_cleared_queue_is_empty(queue_and_peer: Queued) -> None:
    queue, peer, traffic = queue_and_peer
    queue.append([b"never sent"])
    queue.clear()
    assert not queue.chunks and queue.queued_bytes == 0
