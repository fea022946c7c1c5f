"""The connection through which a handler answers: events in order, as fast as they are taken, or none any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import StreamClosedError

from app_server.asgi.connection import AsgiConnection
from app_server.asgi.scope import Event
from app_server.observe.gauges import ApplicationGauges
from app_server.websocket.owner import WireLimits
from tests.unit.asgi.making import scope_of
from tests.unit.websocket.making import Heard

OK = ResponseStartLine("HTTP/1.1", 200, "OK")
FORBIDDEN = ResponseStartLine("HTTP/1.1", 403, "Forbidden")
SWITCHING = ResponseStartLine("HTTP/1.1", 101, "Switching Protocols")


class Taken:
    """What the server has taken; it takes when the test lets it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, event: Event) -> None:
        await self.open.wait()
        self.events.append(dict(event))

    @property
    def kinds(self) -> list[str]:
        return [event["type"].rpartition(".")[2] for event in self.events]


def connection(send: Taken, kind: str = "http", stalled_s: float = 0, **more: Any) -> AsgiConnection:
    return AsgiConnection(scope_of(kind=kind, **more), send, stalled_s)


async def test_answer_that_is_there_at_once_is_two_events() -> None:
    taken = Taken()
    answer = connection(taken)
    answer.write_headers(OK, HTTPHeaders(), b"all")
    answer.finish()
    await answer.pump()
    assert answer.begun and taken.kinds == ["start", "body"]
    assert taken.events[1] == {"type": "http.response.body", "body": b"all", "more_body": False}


async def test_large_answer_goes_in_parts_each_of_which_may_take_its_time() -> None:
    taken, body = Taken(), bytes(range(256)) * 2500
    answer = connection(taken)
    answer.write_headers(OK, HTTPHeaders(), body)
    answer.finish()
    await answer.pump()
    assert [len(event["body"]) for event in taken.events[1:]] == [262144, 262144, 115712]
    assert b"".join(event["body"] for event in taken.events[1:]) == body
    assert [event["more_body"] for event in taken.events[1:]] == [True, True, False]


async def test_answer_without_a_body_is_complete_all_the_same() -> None:
    taken = Taken()
    answer = connection(taken)
    answer.write_headers(OK, HTTPHeaders(), b"")
    answer.finish()
    await answer.pump()
    assert taken.events[1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_parts_wait_until_the_server_has_taken_them() -> None:
    taken = Taken()
    answer = connection(taken)
    pumping = asyncio.ensure_future(answer.pump())
    await answer.write_headers(OK, HTTPHeaders(), b"one")
    taken.open.clear()
    second = asyncio.ensure_future(answer.write(b"two"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second.done() and len(taken.events) == 2
    taken.open.set()
    await second
    answer.finish()
    await pumping
    assert [event.get("body") for event in taken.events] == [None, b"one", b"two", b""]
    assert [event.get("more_body") for event in taken.events] == [None, True, True, False]


async def test_client_that_leaves_fails_what_its_handler_writes() -> None:
    taken, left = Taken(), []
    answer = connection(taken)
    answer.set_close_callback(lambda: left.append(True))
    taken.open.clear()
    pumping = asyncio.ensure_future(answer.pump())
    writing = answer.write_headers(OK, HTTPHeaders(), b"one")
    await asyncio.sleep(0)
    answer.leave()
    answer.leave()
    pumping.cancel()
    with pytest.raises(StreamClosedError):
        await writing
    with pytest.raises(StreamClosedError):
        await answer.write(b"two")
    answer.finish()
    assert left == [True] and answer.gone


@pytest.mark.parametrize("how", ["error", "stalled"])
async def test_client_that_takes_nothing_has_left(how: str) -> None:
    class Broken(Taken):
        async def __call__(self, event: Event) -> None:
            if how == "error":
                raise OSError("gone")
            await asyncio.Event().wait()

    answer = connection(Broken(), stalled_s=0.01)
    writing = answer.write_headers(OK, HTTPHeaders(), b"one")
    await answer.pump()
    assert answer.gone
    with pytest.raises(StreamClosedError):
        await writing


async def test_101_opens_the_websocket_and_leaves_it_to_its_session() -> None:
    taken = Taken()
    answer = connection(taken, "websocket")
    answer.write_headers(SWITCHING, HTTPHeaders({"Sec-WebSocket-Protocol": "bokeh"}))
    answer.finish()
    opened = answer.detach()
    await answer.pump()
    assert taken.kinds == ["accept"] and answer.socket is opened


@pytest.mark.parametrize("first", ["detach", "leave"])
async def test_websocket_of_a_client_that_has_left_gets_no_wire(first: str) -> None:
    answer = connection(Taken(), "websocket")
    answer.write_headers(SWITCHING, HTTPHeaders())
    for step in (first, "leave" if first == "detach" else "detach"):
        getattr(answer, step)()
    assert answer.socket is not None
    with pytest.raises(StreamClosedError):
        answer.socket.wire(Heard(), WireLimits(1, 1), ApplicationGauges())


@pytest.mark.parametrize(
    ("extensions", "kinds"), [({}, ["close"]), ({"websocket.http.response": {}}, ["start", "body"])]
)
async def test_any_other_status_refuses_the_websocket(extensions: dict[str, Any], kinds: list[str]) -> None:
    taken = Taken()
    answer = connection(taken, "websocket", extensions=extensions)
    answer.write_headers(FORBIDDEN, HTTPHeaders(), b"no")
    await asyncio.wait_for(asyncio.shield(answer.write(b"more")), 1) if not extensions else None
    answer.finish()
    await answer.pump()
    assert taken.kinds == kinds and answer.socket is None
