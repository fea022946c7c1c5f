"""Messages over real sockets: whole or not at all, and no descriptor is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path

import pytest

from app_server.processes import ipc
from app_server.processes.ipc import Message, Unreachable
from tests.support.descriptors import descriptors_of, no_descriptors
from tests.support.waiting import patience


def pair() -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    one.setblocking(False)
    other.setblocking(False)
    return one, other


async def test_a_letter_arrives_as_it_was_sent_and_nothing_behind_it_is_read() -> None:
    one, other = pair()
    with one, other:
        reading, writing = os.pipe()
        sent = asyncio.ensure_future(ipc.send(one, Message({"a": [1]}, b"x" * 1_000_000, writing)))
        received = await ipc.receive(other)
        await sent
        one.send(b"rest")
        assert (received.fields, len(received.body)) == ({"a": [1]}, 1_000_000)
        assert received.descriptor is not None
        os.write(received.descriptor, b"!")
        assert os.read(reading, 1) == b"!"
        assert other.recv(10) == b"rest"
        for descriptor in (reading, writing, received.descriptor):
            os.close(descriptor)


def packed(fields: bytes) -> bytes:
    """A message with these fields, whatever they are."""
    return struct.pack("!II", len(fields), 0) + fields


NONSENSE = [
    struct.pack("!II", 2**31, 0),
    packed(b"[]"),
    b"\0\0",
    packed(b"{"),
    packed(b"\xff"),
    packed(b'{"a": 1}')[:-1],
]


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_what_is_no_letter_leaves_no_descriptor(nonsense: bytes) -> None:
    one, other = pair()
    with other:
        with one:
            socket.send_fds(one, [nonsense], [other.fileno()])
        with pytest.raises(Unreachable):
            await ipc.receive(other)
        assert descriptors_of(other) == [other.fileno()]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_a_process_without_a_loop_leaves_no_descriptor_of_it_either(nonsense: bytes) -> None:
    one, other = pair()
    with other:
        with one:
            socket.send_fds(one, [nonsense], [other.fileno()])
        with pytest.raises(Unreachable):
            ipc.receive_now(other, 5)
        assert descriptors_of(other) == [other.fileno()]


def test_who_sends_half_a_letter_is_not_waited_for_for_ever() -> None:
    one, other = pair()
    with one, other:
        one.send(packed(b"{}")[:-1])
        with pytest.raises(Unreachable, match="timed out"):
            ipc.receive_now(other, 0.01)


async def test_two_letters_at_once_are_read_one_by_one_and_a_cut_one_when_its_rest_has_come() -> None:
    one, other = pair()
    with one, other:
        second = Message({"b": 2}, b"blob").packed()
        one.send(Message({"a": 1}).packed() + second[:9])
        assert ipc.receive_now(other, 5) == Message({"a": 1})
        other.setblocking(False)
        reading = asyncio.ensure_future(ipc.receive(other))
        for byte in second[9:]:
            await asyncio.sleep(0)
            assert not reading.done()
            one.send(bytes([byte]))
        assert await reading == Message({"b": 2}, b"blob")


async def test_a_connection_for_which_there_is_no_descriptor_stays_the_senders() -> None:
    one, other = pair()
    with one:
        await ipc.send(one, Message({"head": "GET /"}, b"rest", other.fileno()))
        with no_descriptors(), other, pytest.raises(Unreachable) as caught:
            await ipc.receive(other)
        assert str(caught.value) == "this process has no descriptor left for what came with it"
        with pytest.raises(Unreachable):
            await ipc.read_by_peer(one, 5)


async def test_all_are_asked_at_once_and_who_does_not_answer_is_none(tmp_path: Path) -> None:
    async def answer(sock: socket.socket) -> None:
        with sock:
            await ipc.receive(sock)
            await ipc.send(sock, Message({"yes": True}))

    with socket.socket(socket.AF_UNIX) as there, socket.socket(socket.AF_UNIX) as busy:
        for listener, name in ((there, "there"), (busy, "busy")):
            listener.bind(str(tmp_path / name))
            listener.listen()
            listener.setblocking(False)
        asked = asyncio.ensure_future(
            ipc.ask_all([tmp_path / name for name in ("there", "busy", "gone")], {"question": "?"}, patience(0.1))
        )
        await answer(await ipc.accept(there, pytest.fail))
        assert await asked == [{"yes": True}, None, None]


async def test_who_has_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(0)
        listener.setblocking(False)
        first = await ipc.reach(tmp_path / "socket")
        second = asyncio.ensure_future(ipc.reach(tmp_path / "socket"))
        await asyncio.sleep(0)
        assert not second.done()
        with first, await ipc.accept(listener, pytest.fail), await second:
            pass


async def test_whoever_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        await ipc.reach(tmp_path / "nobody")
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "dead"))
    with pytest.raises(Unreachable):
        await ipc.reach(tmp_path / "dead")
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match=r"socket: Not a directory"):
        await ipc.reach(tmp_path / "file" / "socket")
    with pytest.raises(Unreachable, match="path too long"):
        await ipc.reach(tmp_path / ("long" * 50))


async def test_a_letter_counts_as_read_when_its_reader_closes_the_socket() -> None:
    one, other = pair()
    with one:
        await ipc.send(one, Message({}))
        await ipc.receive(other)
        other.close()
        await ipc.read_by_peer(one, 5)


async def test_a_reader_that_goes_away_before_has_not_read_the_letter() -> None:
    one, other = pair()
    with one:
        await ipc.send(one, Message({}))
        other.close()
        with pytest.raises(Unreachable):
            await ipc.read_by_peer(one, 5)


async def test_a_letter_in_the_queue_of_who_ends_has_not_been_read(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    with await ipc.reach(tmp_path / "socket") as sock:
        await ipc.send(sock, Message({}))
        listener.close()
        with pytest.raises(Unreachable):
            await ipc.read_by_peer(sock, 5)


async def test_a_busy_reader_is_not_waited_for_for_ever() -> None:
    one, other = pair()
    with one, other:
        await ipc.send(one, Message({}))
        await ipc.read_by_peer(one, 0.01)
