"""What the doctor states, and what the server makes of it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.protocol.doctor import Arrived, Seen, Sent, compare, instance_id

SENT = Sent("https", "app.test", "/tools/board", "https://app.test", "192.0.2.66")
ARRIVED = Arrived("https", "app.test", "/tools/board", "198.51.100.7", {"Origin": "https://app.test"})


@given(st.builds(Sent, *[st.text(max_size=50)] * 5))
def test_statement_is_read_as_it_was_made(sent: Sent) -> None:
    assert sent.statement().isascii() and sent.statement().isprintable()
    assert Sent.read(sent.statement()) == sent


@given(st.text(max_size=200))
def test_any_text_is_a_statement_or_none(text: str) -> None:
    for read in (Sent.read, Seen.read):
        read(text)


def test_endless_statement_is_none() -> None:
    assert Sent.read(replace(SENT, path="/" + "a" * 5000).statement()) is None


def test_answer_is_read_as_it_was_made_and_unknown_words_are_left_out() -> None:
    seen = compare(SENT, ARRIVED, "one")
    assert seen == Seen("one", origin="same")
    assert Seen.read(seen.answer() + "; later=yes") == seen
    assert Seen.read("host=same") is None


@pytest.mark.parametrize(
    ("arrived", "headers", "words"),
    [
        ({"scheme": "http"}, {}, {"scheme": "other"}),
        ({"host": "APP.test:443"}, {}, {}),
        ({"host": "app.test:5006"}, {}, {"host": "port"}),
        ({"host": "board"}, {}, {"host": "other"}),
        ({"host": "[::1"}, {}, {"host": "other"}),
        ({"path": "/board"}, {}, {"path": "other"}),
        ({"address": "192.0.2.66"}, {}, {"address": "claimed"}),
        ({}, {"Origin": "https://x.test"}, {"origin": "other"}),
        ({}, {"Origin": ""}, {"origin": "none"}),
        ({}, {"X-Forwarded-Proto": "https"}, {"proto": "same"}),
        ({}, {"X-Forwarded-Proto": "http"}, {"proto": "other"}),
        ({}, {"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}, {"client": "used"}),
        ({}, {"X-Forwarded-For": "198.51.100.7:4711"}, {"client": "used"}),
        ({}, {"X-Forwarded-For": "unknown"}, {"client": "none"}),
        ({}, {"X-Forwarded-Proto": "HTTPS"}, {"proto": "same"}),
        ({}, {"X-Forwarded-For": "203.0.113.1"}, {"client": "ignored"}),
        ({}, {"X-Real-Ip": "198.51.100.7", "X-Forwarded-For": "203.0.113.1"}, {"client": "used"}),
        ({}, {"Upgrade": "WebSocket"}, {"upgrade": "came"}),
    ],
)
def test_differences_are_words(arrived: dict[str, str], headers: dict[str, str], words: dict[str, str]) -> None:
    found = compare(SENT, replace(ARRIVED, headers={**ARRIVED.headers, **headers}, **arrived), "one")  # type: ignore[arg-type]
    assert found == replace(Seen("one", origin="same"), **words)  # type: ignore[arg-type]


def test_no_address_is_claimed_where_none_was_sent() -> None:
    assert compare(replace(SENT, address=""), replace(ARRIVED, address=""), "one").address == "other"


@given(st.builds(Arrived, *[st.text(max_size=30)] * 4, st.dictionaries(st.text(max_size=9), st.text(max_size=30))))
def test_server_answers_in_words_of_its_own(arrived: Arrived) -> None:
    words = {"same", "other", "port", "none", "claimed", "used", "ignored", "came", "here", "one"}
    seen = compare(SENT, arrived, "one")
    assert {getattr(seen, field.name) for field in fields(seen)} <= words


def test_instance_is_opaque_and_its_own() -> None:
    one, other = instance_id("host", "5006"), instance_id("host", "5007")
    assert len(one) == 8 and one != other and one == instance_id("host", "5006")
