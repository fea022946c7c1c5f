"""The load generator against the canned server, both in one loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from app_server.load.wire import Message
from bench.canned import Recording, serve, to_bytes
from bench.client import Closed, Refused, Tab, join, open_page, open_tab
from bench.servers import free_port

DOCUMENT = {"doc": {"roots": [{"type": "object", "name": "Slider", "id": "p7", "attributes": {}}]}}


def said(kind: str, content: object, *buffers: bytes) -> bytes:
    """A server's message as bytes."""
    header = {"msgid": "1", "msgtype": kind, "num_buffers": len(buffers)}
    return to_bytes(Message(header, json.dumps(content).encode(), buffers, 3, 0.0))


def recording(answer: bytes) -> Recording:
    """An application that gives this answer to every change."""
    page = '<script>x([{"token":"TOKEN"}])</script>'
    return Recording(page, "TOKEN", said("ACK", {}), said("PULL-DOC-REPLY", DOCUMENT), answer, said("OK", {}), b"", 0)


@pytest.fixture
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """The port of a canned server whose answer to a change is the fixture's parameter."""
    chosen = free_port()
    task = asyncio.create_task(serve(recording(request.param), "app", chosen))
    await asyncio.sleep(0)
    yield chosen
    task.cancel()


PATCH = said("PATCH-DOC", {"events": []}, b"12345678")


@pytest.mark.parametrize("port", [PATCH], indirect=True)
async def test_tab_opens_pulls_and_makes_a_round_trip(port: int) -> None:
    tab = await open_tab(port, "/app")
    assert tab.models("Slider") == ["p7"]
    assert 0 < await tab.round_trip("p7", 0.5) < 5
    tab.connection.close()


@pytest.mark.parametrize("port", [PATCH], indirect=True)
async def test_every_tab_of_a_session_hears_of_a_change(port: int) -> None:
    token, socket_at = await open_page(port, "/app")
    tabs: list[Tab] = [await join(port, socket_at, token) for _ in range(3)]
    stranger = await open_tab(port, "/app")
    await tabs[0].round_trip("p7", 0.5)
    heard = [await tab.connection.receive("PATCH-DOC") for tab in tabs[1:]]
    assert [message.buffers for message in heard] == [(b"12345678",)] * 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stranger.connection.receive(), 0.05)
    for tab in (*tabs, stranger):
        tab.connection.close()


@pytest.mark.parametrize("port", [b""], indirect=True)
async def test_change_without_a_consequence_is_not_taken_for_a_round_trip(port: int) -> None:
    tab = await open_tab(port, "/app")
    with pytest.raises(Refused, match="the server answered OK without a change of its own"):
        await tab.round_trip("p7", 0.5)
    tab.connection.close()


@pytest.mark.parametrize("port", [said("ERROR", {"text": "no such model"})], indirect=True)
async def test_error_of_the_server_is_raised(port: int) -> None:
    tab = await open_tab(port, "/app")
    with pytest.raises(Refused, match="no such model"):
        await tab.round_trip("p7", 0.5)
    tab.connection.close()


@pytest.mark.parametrize("port", [PATCH], indirect=True)
async def test_page_and_socket_that_do_not_exist_are_told_apart(port: int) -> None:
    with pytest.raises(Refused, match="GET /other answered 404"):
        await open_page(port, "/other")
    with pytest.raises(Closed, match="the server closed the connection"):
        await join(port, "/other/ws", "TOKEN")
