"""A client's connection at an ASGI server: messages, clients that stall or flood, and every way to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from app_server.asgi.scope import Event
from app_server.asgi.wire import AsgiWire
from app_server.observe.gauges import ApplicationGauges
from app_server.protocol.websocket import BINARY, TEXT
from app_server.websocket.keep_alive import keep_alive
from app_server.websocket.owner import WireLimits
from tests.support.waiting import until_soon
from tests.unit.websocket.making import Heard

GONE: Event = {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}


class Client:
    """The other end of a wire, which reads and sends as the test says."""

    def __init__(self, owner: Heard | None = None, **limits: int) -> None:
        self.owner = owner or Heard()
        self.now_s = 0.0
        self.traffic = ApplicationGauges()
        limited = WireLimits(limits.get("message", 1000), limits.get("queue", 10_000))
        self.wire = AsgiWire(self.owner, limited, self.traffic, lambda: self.now_s)
        self.sends: asyncio.Queue[Event] = asyncio.Queue()
        self.got: list[Event] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.raises: BaseException | None = None
        first = asyncio.ensure_future(self.sends.get())
        self.running = asyncio.ensure_future(self.wire.run(self.sends.get, self._take, first))
        self.wire.start()

    async def _take(self, event: Event) -> None:
        await self.takes.wait()
        if self.raises is not None:
            raise self.raises
        self.got.append(event)

    def say(self, *texts: str) -> None:
        for text in texts:
            self.sends.put_nowait({"type": "websocket.receive", "text": text, "bytes": None})

    async def over(self) -> None:
        async with asyncio.timeout(10):
            await self.running


async def test_messages_go_both_ways_in_order() -> None:
    client = Client()
    client.say("one")
    client.sends.put_nowait({"type": "websocket.receive", "bytes": b"two", "text": None})
    client.sends.put_nowait({"type": "websocket.receive", "bytes": b"three"})
    await until_soon(lambda: len(client.owner.whole) == 3)
    assert client.owner.whole == [(TEXT, b"one"), (BINARY, b"two"), (BINARY, b"three")]
    array = np.zeros(2)
    client.takes.clear()
    client.wire.write([(TEXT, b"a"), (BINARY, memoryview(array))])
    array[:] = 1
    assert client.wire.queued_bytes == 17
    client.takes.set()
    await until_soon(lambda: len(client.got) == 2)
    assert client.got == [
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.send", "bytes": bytes(16)},
    ], "the array as it was when it was written"
    assert (client.traffic.bytes_in, client.traffic.bytes_out, client.wire.queued_bytes) == (11, 17, 0)
    client.sends.put_nowait(GONE)
    await client.over()
    assert client.owner.heard == ["closed: 1001 bye"] and client.wire.closed
    client.wire.write([(TEXT, b"too late")])
    client.wire.close(1000)
    client.wire.abort()
    assert len(client.got) == 2 and len(client.owner.heard) == 1


async def test_close_follows_what_is_queued() -> None:
    client = Client()
    client.wire.write([(TEXT, b"last")])
    client.wire.close(1012, "restart")
    client.wire.close(1000, "again")
    client.wire.write([(TEXT, b"too late")])
    await client.over()
    assert client.got == [
        {"type": "websocket.send", "text": "last"},
        {"type": "websocket.close", "code": 1012, "reason": "restart"},
    ]
    assert client.owner.heard == ["closed: 1012 restart"]


async def test_nothing_is_read_before_the_start_and_while_paused() -> None:
    client = Client()
    client.wire.pause()
    client.say("one", "two")
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.owner.whole == []
    client.wire.resume()
    await until_soon(lambda: len(client.owner.whole) == 2)
    client.wire.abort()
    await client.over()


async def test_client_that_does_not_read_is_late_and_told_apart_from_one_that_has_gone() -> None:
    client = Client(queue=100)
    client.takes.clear()
    client.wire.write([(TEXT, b"x" * 90)])
    await asyncio.sleep(0)
    assert not client.wire.is_late and not client.wire.has_room and not client.wire.has_gone(60)
    client.now_s = 0.3
    assert client.wire.is_late and client.wire.late_by_s == 0.3
    client.wire.write([(TEXT, b"y" * 90)])
    client.say("not read, for too much is queued")
    client.takes.set()
    await until_soon(lambda: len(client.got) == 2)
    assert client.owner.heard == ["caught up"]
    await until_soon(lambda: len(client.owner.whole) == 1)
    assert client.wire.has_room and not client.wire.is_late and client.wire.late_by_s == 0
    client.wire.abort()
    await client.over()


async def test_client_that_was_late_is_watched_closely() -> None:
    client = Client()
    client.takes.clear()
    client.wire.watch_closely()
    client.wire.write([(TEXT, b"x")])
    client.now_s = 0.1
    assert client.wire.is_late
    client.now_s = 5.1
    client.wire.abort()
    client = Client()
    client.takes.clear()
    client.wire.write([(TEXT, b"x" * 2**19)])
    assert client.wire.is_late, "this much is too much at once"
    client.wire.abort()


async def test_client_that_takes_nothing_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    client.takes.clear()
    client.wire.write([(TEXT, b"x" * 50)])
    client.wire.ping()
    await asyncio.sleep(0)
    client.now_s = 100
    pinging = asyncio.ensure_future(keep_alive([client.wire], 0.001))
    await until_soon(lambda: client.wire.closed)
    pinging.cancel()
    assert caplog.messages == ["Client stopped reading; closing the connection (50 bytes queued)"]
    assert client.owner.heard == ["closed: 1008 the client does not read"]
    await until_soon(lambda: client.wire._close_sent)
    client.takes.set()
    await client.over()
    assert client.got == [{"type": "websocket.close", "code": 1008, "reason": "the client does not read"}]


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("after websocket.close"), ConnectionResetError()])
async def test_client_that_has_vanished_ends_with_what_is_sent_to_it(error: Exception) -> None:
    client = Client()
    client.raises = error
    client.wire.write([(TEXT, b"x")])
    await client.over()
    assert client.owner.heard[0].startswith("closed: 1006 ") and client.got == []


async def test_flood_lets_others_have_their_turn() -> None:
    class Slow(Heard):
        def frame_received(self, opcode: int, payload: bytes) -> None:
            client.now_s += 0.008
            super().frame_received(opcode, payload)

    client = Client(Slow())
    client.say(*map(str, range(10)))
    seen = []
    while len(client.owner.whole) < 10:
        await asyncio.sleep(0)
        seen.append(len(client.owner.whole))
    assert len(set(seen)) >= 4, "messages come in slices of 20 ms"
    client.wire.abort()


async def test_message_that_is_too_large_is_refused_or_goes_by() -> None:
    client = Client(Heard(discards=True))
    client.say("x" * 1001)
    await until_soon(lambda: client.owner.heard == ["discarded"])
    client.owner.discards = False
    client.say("x" * 1001, "not looked at any more")
    await client.over()
    assert client.owner.heard[1:] == [
        "refused: a message is larger than 1000 bytes",
        "closed: 1009 a message is larger than 1000 bytes",
    ]
    assert client.got[-1]["code"] == 1009 and client.owner.whole == []


async def test_message_that_its_owner_refuses_ends_the_connection() -> None:
    client = Client(Heard(refuses=b"bad"))
    client.say("bad")
    await client.over()
    assert client.got == [{"type": "websocket.close", "code": 1003, "reason": "it is not what was asked for"}]


async def test_server_that_takes_no_close_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()
    client = Client()
    client.takes.clear()

    def later(delay_s: float, call: Callable[..., None], *args: object) -> SimpleNamespace:
        assert delay_s == 5
        timers.append(lambda: call(*args))
        return SimpleNamespace(cancel=lambda: None)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "call_later", later)
        client.wire.close(1001, "bye")
    timers[0]()
    assert client.owner.heard == ["closed: 1001 bye"] and client.wire.closed
    client.takes.set()
    await client.over()


async def test_server_that_fails_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    owner = Heard()
    wire = AsgiWire(owner, WireLimits(1000, 1000), ApplicationGauges())

    async def receive() -> Event:
        raise RuntimeError("the server is broken")

    async def send(event: Event) -> None: ...

    wire.start()
    await wire.run(receive, send, asyncio.ensure_future(receive()))
    assert owner.heard == ["closed: 1006 the server has ended the connection"]
    assert caplog.messages == ["The connection has failed: the server is broken"]


async def test_end_of_the_server_ends_the_connection() -> None:
    client = Client()
    await asyncio.sleep(0)
    client.running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.running
    assert client.owner.heard == ["closed: 1006 the server has ended the connection"]
