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


def test_longest_statement_and_answer_are_read_and_no_longer_one() -> None:
    rest = len(replace(SENT, path="").statement())
    fitting = replace(SENT, path="a" * (4096 - rest))
    assert len(fitting.statement()) == 4096
    assert Sent.read(fitting.statement()) == fitting
    assert Sent.read(fitting.statement() + " ") is None
    assert Seen.read("instance=one; host=" + "p" * 5000) == Seen("one", host="p" * (4096 - len("instance=one; host=")))


def test_statement_is_written_for_people_too() -> None:
    assert SENT.statement() == (
        "scheme=https; host=app.test; path=/tools/board; origin=https://app.test; address=192.0.2.66"
    )
    assert replace(SENT, host="[::1]:80", path="/ä=;").statement().split("; ")[1:3] == [
        "host=[::1]:80", "path=/%C3%A4%3D%3B",
    ]  # fmt: skip


def test_statement_that_lacks_a_part_is_none() -> None:
    parts = SENT.statement().split("; ")
    for index in range(len(parts)):
        assert Sent.read("; ".join(parts[:index] + parts[index + 1 :])) is None


@pytest.mark.parametrize(("scheme", "sent", "arrived", "word"), [
    ("http", "app.test", "app.test:80", "same"), ("http", "app.test:80", "app.test", "same"),
    ("http", "app.test", "app.test:443", "port"), ("https", "app.test", "app.test:80", "port"),
    ("https", "app.test:443", "app.test", "same"), ("https", "app.test:5006", "app.test", "port"),
    ("gopher", "app.test", "app.test", "same"), ("gopher", "app.test", "app.test:70", "port"),
    ("https", "APP.test", "app.TEST", "same"), ("https", "[::1]:1", "[::1]:1", "same"),
    ("https", "app.test:99999", "app.test", "other"),
])  # fmt: skip
def test_hosts_are_the_same_with_and_without_the_port_of_the_scheme(
    scheme: str, sent: str, arrived: str, word: str
) -> None:
    assert compare(replace(SENT, scheme=scheme, host=sent), replace(ARRIVED, host=arrived), "one").host == word


def test_request_without_headers_has_none_to_compare() -> None:
    seen = compare(SENT, replace(ARRIVED, headers={}), "one")
    assert (seen.origin, seen.proto, seen.client, seen.upgrade) == ("none",) * 4
    assert (seen.place, seen.refused) == ("here", "none")


@pytest.mark.parametrize(("headers", "word"), [
    ({"X-Forwarded-Proto": " https "}, "same"), ({"X-Forwarded-Proto": ""}, "other"),
])  # fmt: skip
def test_scheme_of_a_proxy_is_compared_without_spaces(headers: dict[str, str], word: str) -> None:
    assert compare(SENT, replace(ARRIVED, headers=headers), "one").proto == word


@pytest.mark.parametrize(("upgrade", "word"), [("WEBSOCKET", "came"), ("h2c", "none"), ("websocket, x", "none")])
def test_upgrade_came_when_it_is_the_websockets(upgrade: str, word: str) -> None:
    assert compare(SENT, replace(ARRIVED, headers={"Upgrade": upgrade}), "one").upgrade == word


def test_instance_may_be_named_by_what_is_not_utf_8() -> None:
    assert len(instance_id("caf\udce9")) == 8
    assert instance_id("a", "b") != instance_id("ab")
