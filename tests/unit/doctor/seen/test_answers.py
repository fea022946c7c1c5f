"""What can be read from answers and handshakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.seen.answers import Failure, Handshake
from tests.unit.doctor.making import BARE, TIMEOUT


def test_headers_of_one_name_come_in_their_order() -> None:
    found = replace(BARE, headers=(("vary", "a"), ("x", "y"), ("vary", "b")))
    assert (found.header("vary"), found.all_of("vary"), found.header("none")) == ("a", ("a", "b"), None)


def test_answer_in_a_few_words() -> None:
    assert replace(BARE, status=404).summary == "404"
    assert replace(BARE, failure=TIMEOUT).summary == "no answer within 10 s"


def test_spread_of_a_body() -> None:
    assert replace(BARE, arrivals=(0.5, 0.9), whole_s=1.5).spread_s == 1.0
    assert replace(BARE, whole_s=1.5).spread_s == 0.0


def test_body_that_is_no_text_is_read_all_the_same() -> None:
    assert replace(BARE, body=b"a\xffb").text == "a\ufffdb"


@pytest.mark.parametrize(
    ("socket", "summary"),
    [
        (Handshake(replace(BARE, status=403)), "403"),
        (Handshake(replace(BARE, failure=TIMEOUT)), "no answer within 10 s"),
        (Handshake(BARE, accepted=True, close_code=1008, close_reason="no"), "accepted, then closed with 1008 no"),
        (Handshake(BARE, accepted=True, close_code=1000), "accepted, then closed with 1000"),
        (Handshake(BARE, accepted=True, failure=Failure("closed", "it was closed")), "it was closed"),
        (Handshake(BARE, accepted=True, greeting="ACK"), "accepted, then ACK"),
    ],
)
def test_handshake_in_a_few_words(socket: Handshake, summary: str) -> None:
    assert socket.summary == summary
    assert socket.greeted is (summary == "accepted, then ACK")
