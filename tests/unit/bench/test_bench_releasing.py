"""What the measurement of a release calls a failure."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app_server.load.wire import Message
from bench import releasing
from bench.client import HOST, Closed, Connection, Tab
from bench.releasing import Person, Visitors, free_ports, report


def tab(content: bytes) -> Tab:
    return Tab(Connection(b""), "token", Message({"msgtype": "PULL-DOC-REPLY"}, content, (), 3, 0.0))


def person(content: bytes = b"{}") -> Person:
    return Person(1, "/ws", "token", tab(content))


def joining(*answers: Tab | Exception) -> Callable[..., Coroutine[Any, Any, Tab]]:
    """What comes of one attempt to connect after the other."""
    left = list(answers)

    async def join(*_: object) -> Tab:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return join


@pytest.mark.parametrize(
    ("content", "lost"),
    [
        (b'{"attributes":{"value":2.05}}', ""),
        (b'{"attributes":{"value":2.5,"x":1}}', ""),
        (b'{"attributes":{"value":2.055}}', "it had other values"),
        (b'{"attributes":{"value":0}}', "it had other values"),
    ],
)
def test_session_has_the_value_that_was_sent_last_or_answered_last(
    monkeypatch: pytest.MonkeyPatch, content: bytes, lost: str
) -> None:
    someone = person()
    someone.moved_to = [2.05, 2.5]
    monkeypatch.setattr(releasing, "join", joining(Closed("not yet"), tab(content)))
    monkeypatch.setattr(releasing, "PAUSES_S", (0.0, 0.0))
    asyncio.run(someone._come_back())
    assert someone.lost == lost and len(someone.away_s) == 1


def test_person_who_cannot_come_back_has_lost_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    someone = person()
    monkeypatch.setattr(releasing, "join", joining(Closed("no"), TimeoutError()))
    monkeypatch.setattr(releasing, "PAUSES_S", (0.0, 0.0))
    asyncio.run(someone._come_back())
    assert someone.lost == "it did not come back"


@pytest.mark.parametrize(
    ("seconds", "lost", "failed", "met"),
    [(19.0, "", [], True), (21.0, "", [], False), (1.0, "it had other values", [], False), (1.0, "", ["503"], False)],
)
def test_release_is_as_it_should_be_if_nobody_loses_anything_and_it_is_over_soon(
    capsys: pytest.CaptureFixture[str], seconds: float, lost: str, failed: list[str], met: bool
) -> None:
    someone = person()
    someone.lost = lost
    assert report(seconds, [someone, person()], Visitors(1, 7, failed)) is met
    assert f"{2 - bool(lost)} of 2 sessions kept their values" in capsys.readouterr().out


def test_ports_in_a_row_are_free() -> None:
    first = free_ports(3)
    for port in range(first, first + 3):
        socket.create_server((HOST, port)).close()
