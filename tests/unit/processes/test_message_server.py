"""A server of messages, over Unix sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from app_server.processes import ipc
from app_server.processes.ipc import Message
from app_server.processes.message_server import MessageServer
from tests.support.descriptors import no_descriptors
from tests.support.waiting import PATIENCE_S, patience, until_soon


def listener_at(path: Path) -> socket.socket:
    """A socket that listens there."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


async def echo(message: Message, sock: socket.socket) -> None:
    """Answer with the same fields."""
    await ipc.send(sock, Message(message.fields))
    sock.close()


async def test_each_connection_is_handled_when_its_message_is_complete(tmp_path: Path) -> None:
    server = MessageServer(echo)
    assert not server.is_listening
    server.listen(listener_at(tmp_path / "s"))
    slow = await ipc.reach(tmp_path / "s")
    assert server.is_listening and await ipc.ask(tmp_path / "s", {"number": 1}, 5) == {"number": 1}
    await ipc.send(slow, Message({"number": 2}))
    assert (await ipc.receive(slow)).fields == {"number": 2}
    slow.close()
    server.stop()
    server.stop()
    await server.finish()
    assert not server.is_listening


async def test_shortage_of_descriptors_is_said_once_even_if_one_is_free_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ipc, "_ACCEPT_PAUSE_S", 0.001)
    server = MessageServer(echo)
    server.listen(listener_at(tmp_path / "s"))
    for number in range(3):
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        with sock:
            await asyncio.sleep(0)
            with no_descriptors():
                sock.connect(str(tmp_path / "s"))
                await asyncio.sleep(0.01)
            await ipc.send(sock, Message({"number": number}))
            assert (await ipc.receive(sock)).fields == {"number": number}
    server.stop()
    assert caplog.messages == ["Cannot accept messages of other processes: Too many open files"]


async def test_new_socket_replaces_the_one_before(tmp_path: Path) -> None:
    server = MessageServer(echo)
    old = listener_at(tmp_path / "old")
    server.listen(old)
    server.listen(listener_at(tmp_path / "new"))
    assert old.fileno() == -1
    assert await ipc.ask(tmp_path / "new", {"number": 1}, 5) == {"number": 1}
    server.stop()


async def test_socket_that_gets_the_number_of_a_replaced_one_is_heard(tmp_path: Path) -> None:
    server = MessageServer(echo)
    old = listener_at(tmp_path / "old")
    server.listen(old)
    assert await ipc.ask(tmp_path / "old", {"number": 1}, patience(PATIENCE_S)) == {"number": 1}
    new, number = listener_at(tmp_path / "new"), old.fileno()
    server.listen(new)
    asking = await ipc.reach(tmp_path / "new")
    assert asking.fileno() == number, "the lowest that is free"
    await ipc.send(asking, Message({"number": 2}))
    async with asyncio.timeout(patience(PATIENCE_S)):
        assert (await ipc.receive(asking)).fields == {"number": 2}
    asking.close()
    server.stop()


async def test_connections_in_the_queue_are_handled_before_the_end(tmp_path: Path) -> None:
    handled: list[object] = []

    async def handle(message: Message, sock: socket.socket) -> None:
        handled.append(message.fields["number"])
        sock.close()

    server = MessageServer(handle)
    server.listen(listener_at(tmp_path / "s"))
    for number in range(3):
        sock = await ipc.reach(tmp_path / "s")
        await ipc.send(sock, Message({"number": number}))
        sock.close()
    await server.drain()
    assert sorted(map(str, handled)) == ["0", "1", "2"] and not server.is_listening
    await server.drain()


async def test_what_takes_too_long_is_cancelled(tmp_path: Path) -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def handle(message: Message, sock: socket.socket) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")
            sock.close()

    server = MessageServer(handle)
    server.listen(listener_at(tmp_path / "s"))
    sock = await ipc.reach(tmp_path / "s")
    await ipc.send(sock, Message({}))
    await begun.wait()
    server.stop()
    await server.finish(timeout_s=0.01)
    await until_soon(lambda: ended)
    sock.close()


async def test_error_of_a_handler_is_logged_and_closes_the_socket(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(message: Message, sock: socket.socket) -> None:
        raise RuntimeError("a fault")

    server = MessageServer(handle)
    server.listen(listener_at(tmp_path / "s"))
    with pytest.raises(ipc.Unreachable):
        await ipc.ask(tmp_path / "s", {}, 5)
    assert caplog.messages == ["Cannot handle a message of another process; this is a fault of the server"]
    server.stop()


async def test_message_that_does_not_arrive_completely_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "app_server")
    server = MessageServer(echo)
    server.listen(listener_at(tmp_path / "s"))
    sock = await ipc.reach(tmp_path / "s")
    sock.send(b"\0\0")
    sock.close()
    await until_soon(lambda: caplog.messages)
    assert caplog.messages == ["A message did not arrive completely: the sender went away"]
    server.stop()
