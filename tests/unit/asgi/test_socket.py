"""The opened WebSocket between its handshake and its client."""

from __future__ import annotations

import asyncio

import pytest
from tornado.iostream import StreamClosedError

from app_server.asgi.scope import Event
from app_server.asgi.socket import AsgiSocket
from app_server.observe.gauges import ApplicationGauges
from app_server.websocket.owner import WireLimits
from tests.support.waiting import until_soon
from tests.unit.websocket.making import Heard

LIMITS = WireLimits(1000, 1000)


async def test_refusal_is_a_close() -> None:
    socket, sent = AsgiSocket(), []
    events: asyncio.Queue[Event] = asyncio.Queue()

    async def send(event: Event) -> None:
        sent.append(event)

    serving = asyncio.ensure_future(socket.serve(events.get, send))
    await asyncio.sleep(0)
    await socket.refuse(1013, "full")
    await serving
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "full"}]


async def test_what_came_before_the_wire_is_read_by_it() -> None:
    socket, owner = AsgiSocket(), Heard()
    events: asyncio.Queue[Event] = asyncio.Queue()

    async def send(event: Event) -> None: ...

    serving = asyncio.ensure_future(socket.serve(events.get, send))
    for text in ("one", "two"):
        events.put_nowait({"type": "websocket.receive", "text": text})
    for _ in range(5):
        await asyncio.sleep(0)
    wire = socket.wire(owner, LIMITS, ApplicationGauges())
    wire.start()
    await until_soon(lambda: [payload for _, payload in owner.whole] == [b"one", b"two"])
    events.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await serving
    assert owner.heard == ["closed: 1000 "]


async def test_client_that_leaves_before_gets_no_wire() -> None:
    socket, owner = AsgiSocket(), Heard()

    async def receive() -> Event:
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(event: Event) -> None:
        raise AssertionError("no one is there")

    await socket.serve(receive, send)
    with pytest.raises(StreamClosedError):
        socket.wire(owner, LIMITS, ApplicationGauges())
    assert owner.heard == []
    await socket.refuse(1013, "full")
