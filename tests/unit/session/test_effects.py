"""What the runtime is to do after a turn."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from app_server.protocol import codec
from app_server.session.connection import Connection
from app_server.session.effects import Await, Close, Role, Send


def test_message_is_an_answer_unless_said_otherwise() -> None:
    client, frames = Connection(1), codec.ok("7")
    assert Send([client], frames).role is Role.ANSWER
    assert Send([client], frames) != Send([client], frames, Role.STATE)


def test_effects_are_values() -> None:
    client = Connection(1)
    assert Close(client, 1001, "over") == Close(client, 1001, "over") != Close(Connection(1), 1001, "over")
    with pytest.raises(FrozenInstanceError):
        Close(client, 1001, "over").code = 1000  # type: ignore[misc]


async def test_awaitable_of_a_callback_is_carried_and_not_begun() -> None:
    begun = []

    async def callback() -> str:
        begun.append(1)
        return "done"

    effect = Await(callback(), locked=True, name="a timeout callback")
    assert (begun, effect.locked, effect.name) == ([], True, "a timeout callback")
    assert (await effect.awaitable, begun) == ("done", [1])
