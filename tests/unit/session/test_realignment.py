"""For how many buffers a browser is helped that was cut off in the middle of a message."""

from __future__ import annotations

import pytest

from app_server.protocol import codec
from app_server.session.connection import Connection
from app_server.session.realignment import Realignment


def buffers(realignment: Realignment, round_number: int = 0) -> int:
    """How many buffers a browser is sent that has just come back."""
    frames = realignment.frames(Connection(1, from_browser=True), round_number)
    none, one = codec.realignment(round_number, 0), codec.realignment(round_number, 1)
    number = (len(frames) - len(none)) // (len(one) - len(none))
    assert codec.realignment(round_number, number) == frames
    return number


def test_no_client_is_helped_before_one_was_cut_off() -> None:
    realignment = Realignment()
    realignment.left(Connection(1, maybe_cut_off=False))
    assert realignment.frames(Connection(2, from_browser=True), 0) == []
    realignment.left(Connection(1, maybe_cut_off=True))
    realignment.left(Connection(3, maybe_cut_off=False))
    assert realignment.frames(Connection(2, from_browser=True), 0)


@pytest.mark.parametrize("connection", [Connection(1), Connection(1, from_browser=True, asked=True)])
def test_programs_and_browsers_that_have_asked_for_the_document_are_not_helped(connection: Connection) -> None:
    realignment = Realignment()
    realignment.expect_returning_page()
    assert realignment.frames(connection, 0) == []


def test_each_round_allows_for_twice_as_many_buffers_as_the_largest_message_had() -> None:
    realignment = Realignment()
    realignment.left(Connection(1, maybe_cut_off=True))
    for sent in (3, 1):
        realignment.sent(sent)
    assert [buffers(realignment, number) for number in range(3)] == [3, 7, 15]


def test_page_of_another_process_is_helped_for_32_buffers_and_4096_at_most() -> None:
    realignment = Realignment()
    realignment.expect_returning_page()
    assert (buffers(realignment), buffers(realignment, 20)) == (32, 4096)
