"""A visitor's WebSockets."""

from __future__ import annotations

import pytest

from app_server.doctor.address import Target
from app_server.doctor.network.sockets import Socket
from app_server.doctor.network.visitor import Visitor
from tests.unit.doctor.network.peers import Peer, accepting, frame, message, saying, visit


async def open_socket(visitor: Visitor, target: Target) -> object:
    return await visitor.open_socket(target, "token", origin="http://app.test")


def test_socket_is_greeted_and_what_follows_is_done_with_it() -> None:
    seen: list[object] = []

    async def act(visitor: Visitor, target: Target) -> object:
        async def then(opened: Socket) -> None:
            seen.append(await opened.pull())
            seen.extend([await opened.receive(), opened.ended, opened.close_code, opened.close_reason, opened.pings])

        return await visitor.open_socket(target, "token", origin="", then=then)

    bye = (1001).to_bytes(2, "big") + b"going"
    said = [message("ACK"), frame(9, b"ping"), message("PULL-DOC-REPLY"), frame(8, bye)]
    found = visit(accepting(*said), act)
    assert found.greeted and found.accepted  # type: ignore[attr-defined]
    # None of it had come after the request that it answers.
    assert isinstance(seen[0], int)
    assert seen[1:] == [None, "a Close frame came", 1001, "going", 1]


@pytest.mark.parametrize(
    ("answer", "summary"),
    [
        (saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "403"),
        (accepting(frame(8, (4000).to_bytes(2, "big") + b"no")), "accepted, then closed with 4000 no"),
        (accepting(message("ERROR")), "accepted, then ERROR"),
        (accepting(bytes([0x8F, 0])), "a frame begins with 8f00"),
        (accepting(accept="wrong"), "Sec-WebSocket-Accept is missing or wrong: not a WebSocket"),
        (accepting(), "accepted, then None"),
    ],
    ids=["refused", "closed", "another greeting", "no frame", "no websocket", "cut"],
)
def test_socket_that_is_not_greeted_says_what_came(answer: Peer, summary: str) -> None:
    found = visit(answer, open_socket)
    assert summary in found.summary and not found.greeted  # type: ignore[attr-defined]


def test_document_that_never_comes_is_none() -> None:
    seen: list[object] = []

    async def act(visitor: Visitor, target: Target) -> object:
        async def then(opened: Socket) -> None:
            seen.extend([await opened.pull(), opened.ended])

        return await visitor.open_socket(target, "token", origin="", then=then)

    visit(accepting(message("ACK"), message("PATCH-DOC")), act)
    assert seen[0] is None and seen[1]
