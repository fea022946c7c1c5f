"""Pongs and the closing handshake, transition by transition."""

from __future__ import annotations

from itertools import product

import pytest

from app_server.protocol.connection import (
    NO_STATUS,
    ConnectionEvent,
    ConnectionState,
    FrameConnection,
    next_state,
)
from app_server.protocol.websocket import CLOSE, PING, PONG

OPEN, CLOSING, CLOSED = ConnectionState.OPEN, ConnectionState.CLOSING, ConnectionState.CLOSED
FAILED, DISCONNECTED = ConnectionState.FAILED, ConnectionState.DISCONNECTED
SENT, RECEIVED = ConnectionEvent.CLOSE_SENT, ConnectionEvent.CLOSE_RECEIVED
VIOLATION, SOCKET_CLOSED = ConnectionEvent.VIOLATION, ConnectionEvent.SOCKET_CLOSED

MOVES = {
    (OPEN, SENT): CLOSING,
    (OPEN, RECEIVED): CLOSED,
    (OPEN, VIOLATION): FAILED,
    (CLOSING, RECEIVED): CLOSED,
    (CLOSING, VIOLATION): FAILED,
    **{(state, SOCKET_CLOSED): DISCONNECTED for state in ConnectionState},
}


@pytest.mark.parametrize(("state", "event"), list(product(ConnectionState, ConnectionEvent)))
def test_each_event_moves_a_connection_on_or_leaves_it_as_it_is(state: ConnectionState, event: ConnectionEvent) -> None:
    assert next_state(state, event) is MOVES.get((state, event), state)


def connection_in(state: ConnectionState) -> FrameConnection:
    """A connection that has come to this state."""
    connection = FrameConnection()
    if state is CLOSING:
        connection.close(1001, "ours")
    elif state is FAILED:
        connection.fail(1002, "ours")
    elif state is CLOSED:
        connection.receive_close(b"\x03\xe8theirs")
    elif state is DISCONNECTED:
        connection.disconnect()
    assert connection.state is state
    return connection


@pytest.mark.parametrize("state", ConnectionState)
def test_ping_is_answered_while_the_connection_is_open(state: ConnectionState) -> None:
    answer = ((PONG, b"there?"),) if state is OPEN else ()
    assert connection_in(state).receive(PING, b"there?") == answer


def test_only_the_newest_of_several_pings_is_answered() -> None:
    connection = FrameConnection()
    connection.unanswered_ping = b"one"
    connection.unanswered_ping = b"two"
    assert connection.pong() == ((PONG, b"two"),)
    assert connection.pong() == () and connection.unanswered_ping is None


def test_pong_has_no_answer() -> None:
    assert FrameConnection().receive(PONG, b"here") == ()


@pytest.mark.parametrize(
    ("payload", "answer", "code", "reason"),
    [
        (b"", b"", NO_STATUS, ""),
        (b"\x03\xe8", b"\x03\xe8", 1000, ""),
        (b"\x03\xe9bye", b"\x03\xe9", 1001, "bye"),
    ],
)
def test_close_frame_is_answered_with_its_code(payload: bytes, answer: bytes, code: int, reason: str) -> None:
    connection = FrameConnection()
    assert connection.close_code is None
    assert connection.receive(CLOSE, payload) == ((CLOSE, answer),)
    assert (connection.state, connection.close_code, connection.close_reason) == (CLOSED, code, reason)


@pytest.mark.parametrize("state", [CLOSING, CLOSED, FAILED, DISCONNECTED])
def test_close_frame_has_no_answer_after_the_first_one_of_either_end(state: ConnectionState) -> None:
    connection = connection_in(state)
    before = connection.close_code, connection.close_reason
    assert connection.receive(CLOSE, b"\x03\xe9late") == ()
    assert (connection.close_code, connection.close_reason) == before


@pytest.mark.parametrize("state", [CLOSING, CLOSED, FAILED, DISCONNECTED])
def test_second_close_frame_is_not_sent(state: ConnectionState) -> None:
    connection = connection_in(state)
    before = connection.close_code, connection.close_reason
    assert connection.close(1011, "again") == () and connection.fail(1002, "again") == ()
    assert (connection.close_code, connection.close_reason) == before


def test_close_frame_holds_our_code_and_reason_and_comes_after_the_answer_to_a_ping() -> None:
    connection = FrameConnection()
    connection.unanswered_ping = b"there?"
    assert connection.close(1001, "bye") == ((PONG, b"there?"), (CLOSE, b"\x03\xe9bye"))
    assert (connection.state, connection.close_code, connection.close_reason) == (CLOSING, 1001, "bye")


def test_violation_sends_a_close_frame_and_awaits_none() -> None:
    connection = FrameConnection()
    assert connection.fail(1002, "not masked") == ((CLOSE, b"\x03\xeanot masked"),)
    assert (connection.state, connection.close_code, connection.close_reason) == (FAILED, 1002, "not masked")
    assert connection.receive(CLOSE, b"\x03\xea") == () and connection.state is FAILED
