"""The thread that reads and writes for a program."""

from __future__ import annotations

import asyncio
import time

import pytest
from websockets.asyncio.server import ServerConnection

from app_server.client import channel as channel_module
from app_server.client.channel import Channel
from app_server.client.errors import CannotConnect, ConnectionLost
from app_server.protocol.messages import Message
from tests.support.ports import free_port
from tests.support.waiting import until_soon
from tests.unit.client.test_link import fake_server, greet, message, opening


def received(channel: Channel, count: int) -> list[Message]:
    """The next messages of a channel that opens."""
    found: list[Message] = []
    while len(found) < count:
        item = channel.take(5)
        if item is not None:
            found.append(item)
    return found


async def test_server_waits_while_its_program_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "MAX_WAITING_MESSAGES", 10)

    async def flood(connection: ServerConnection) -> None:
        await greet(connection)
        for number in range(100):
            for frame in message("PATCH-DOC", number=number):
                await connection.send(frame)
        await connection.wait_closed()

    async with fake_server(flood) as port:
        channel = Channel(opening(port))
        await until_soon(lambda: channel._inbox.qsize() >= 11)
        await asyncio.sleep(0.2)
        assert channel._inbox.qsize() == 11
        found = await asyncio.to_thread(received, channel, 100)
        await asyncio.to_thread(channel.close)
    assert [each.content["number"] for each in found] == list(range(100))


async def test_paused_reader_does_not_hinder_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "MAX_WAITING_MESSAGES", 2)
    reasons: list[object] = []

    async def flood(connection: ServerConnection) -> None:
        await greet(connection)
        for _ in range(30):
            await connection.send('{"msgid":"1","msgtype":"OK"}')
            await connection.send("{}")
            await connection.send("{}")
        await connection.wait_closed()
        reasons.append((connection.close_code, connection.close_reason))

    async with fake_server(flood) as port:
        channel = Channel(opening(port))
        await until_soon(lambda: channel.open)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(channel.close, "enough")
        assert not channel.open
    assert reasons == [(1000, "enough")]


async def test_channel_that_is_still_opening_can_be_closed() -> None:
    async with fake_server(lambda connection: connection.wait_closed()) as port:
        channel = Channel(opening(port, timeout_s=None))
        await asyncio.sleep(0.1)
        start_s = time.monotonic()
        await asyncio.to_thread(channel.close)
        assert time.monotonic() - start_s < 3
    assert not channel._thread.is_alive()


async def test_errors_come_after_the_messages_before_them() -> None:
    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        for frame in message("OK"):
            await connection.send(frame)
        await connection.close(1001)

    async with fake_server(behave) as port:
        channel = Channel(opening(port))
        assert [each.msgtype for each in await asyncio.to_thread(received, channel, 1)] == ["OK"]
        with pytest.raises(ConnectionLost):
            await asyncio.to_thread(channel.take, 5)
    channel.send([(1, b"{}")])
    channel.close()


def test_channel_to_nowhere_raises_when_it_is_looked_at() -> None:
    channel = Channel(opening(free_port()))
    with pytest.raises(CannotConnect):
        channel.take(5)
    channel.close()
    assert not channel._thread.is_alive()
