"""How long the two walks are that every visitor takes through the server's code."""

from __future__ import annotations

import asyncio
import json

import pytest

from bench import client, walk

MOST_CALLS_OF_A_SLIDER = 91
MOST_FUNCTIONS_OF_A_SLIDER = 70
MOST_CALLS_OF_A_SOCKET = 85


def test_calls_of_the_server_are_counted_and_no_others() -> None:
    from app_server.protocol import codec

    with walk.walked() as found:
        codec.dumps({})
        json.loads("{}")
        codec.dumps([])
    assert str(found) == "2 calls, 1 functions, 1 modules"
    assert list(found.lines()) == ["protocol/codec.py: dumps"] * 2


def test_what_the_visitor_calls_is_not_the_servers() -> None:
    with walk.walked() as found:
        client.Connection(b"")
    assert found.calls == []


def test_walks_are_no_longer_than_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    slider, socket = asyncio.run(walk.measure())
    assert len(slider.calls) <= MOST_CALLS_OF_A_SLIDER, "\n".join(slider.lines())
    assert slider.functions <= MOST_FUNCTIONS_OF_A_SLIDER, "\n".join(slider.lines())
    assert len(socket.calls) <= MOST_CALLS_OF_A_SOCKET, "\n".join(socket.lines())
