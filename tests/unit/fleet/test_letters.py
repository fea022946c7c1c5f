"""Letters over real sockets: whole or not at all, and no descriptor is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path

import pytest

from app_server.fleet import letters
from app_server.fleet.letters import Letter, Unreachable


def pair() -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    one.setblocking(False)
    other.setblocking(False)
    return one, other


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_letter_arrives_as_it_was_sent_and_nothing_behind_it_is_read() -> None:
    one, other = pair()
    with one, other:
        reading, writing = os.pipe()
        sent = asyncio.ensure_future(letters.send(one, Letter({"a": [1]}, b"x" * 1_000_000, writing)))
        received = await letters.receive(other)
        await sent
        one.send(b"rest")
        assert (received.words, len(received.blob)) == ({"a": [1]}, 1_000_000)
        assert received.descriptor is not None
        os.write(received.descriptor, b"!")
        assert os.read(reading, 1) == b"!"
        assert other.recv(10) == b"rest"
        for descriptor in (reading, writing, received.descriptor):
            os.close(descriptor)


@pytest.mark.parametrize("nonsense", [struct.pack("!II", 2**31, 0), struct.pack("!II", 2, 0) + b"[]", b"\0\0"])
async def test_what_is_no_letter_leaves_no_descriptor(nonsense: bytes) -> None:
    one, other = pair()
    with other:
        before = descriptors()
        with one:
            socket.send_fds(one, [nonsense], [other.fileno()])
        with pytest.raises(Unreachable):
            await letters.receive(other)
        assert descriptors() == before - 1  # `one` is closed


async def test_whoever_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        await letters.reach(tmp_path / "nobody")
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "dead"))
    with pytest.raises(Unreachable):
        await letters.reach(tmp_path / "dead")


async def test_a_letter_counts_as_read_when_its_reader_closes_the_socket() -> None:
    one, other = pair()
    with one:
        await letters.send(one, Letter({}))
        await letters.receive(other)
        other.close()
        await letters.read_by_peer(one, 5)


async def test_a_reader_that_goes_away_before_has_not_read_the_letter() -> None:
    one, other = pair()
    with one:
        await letters.send(one, Letter({}))
        other.close()
        with pytest.raises(Unreachable):
            await letters.read_by_peer(one, 5)


async def test_a_letter_in_the_queue_of_who_ends_has_not_been_read(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "box"))
    listener.listen()
    with await letters.reach(tmp_path / "box") as sock:
        await letters.send(sock, Letter({}))
        listener.close()
        with pytest.raises(Unreachable):
            await letters.read_by_peer(sock, 5)


async def test_a_busy_reader_is_not_waited_for_for_ever() -> None:
    one, other = pair()
    with one, other:
        await letters.send(one, Letter({}))
        await letters.read_by_peer(one, 0.01)
