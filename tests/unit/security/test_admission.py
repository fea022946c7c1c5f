"""Who gets a session when there are many."""

from __future__ import annotations

import pytest

from app_server.security.admission import Admission, Full, counted_as


def test_without_limits_everybody_enters() -> None:
    admission = Admission()
    for number in range(1000):
        admission.enter(number, "192.0.2.1")
    assert len(admission) == 1000


def test_full_process_takes_nobody_until_a_place_is_free() -> None:
    admission = Admission(max_sessions=2)
    admission.enter("a", "192.0.2.1")
    admission.enter("b", "192.0.2.2")
    with pytest.raises(Full) as caught:
        admission.enter("c", "192.0.2.3")
    assert (str(caught.value), caught.value.reason) == ("the server has reached its limit of sessions", "full")
    admission.leave("a")
    admission.enter("c", "192.0.2.3")


def test_one_address_does_not_take_the_places_of_others() -> None:
    admission = Admission(max_sessions_per_address=1)
    admission.enter("a", "192.0.2.1")
    with pytest.raises(Full) as caught:
        admission.check("192.0.2.1")
    assert caught.value.reason == "address"
    admission.enter("b", "192.0.2.2")
    admission.leave("a")
    admission.enter("c", "192.0.2.1")


def test_leaving_twice_or_without_a_place_frees_nothing() -> None:
    admission = Admission(max_sessions=1, max_sessions_per_address=1)
    admission.enter("a", "192.0.2.1")
    admission.leave("b")
    with pytest.raises(Full):
        admission.check("192.0.2.2")
    admission.leave("a")
    admission.leave("a")
    admission.enter("c", "192.0.2.1")
    with pytest.raises(Full):
        admission.check("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("unix", "unix"),
    ],
)
def test_neighbours_in_an_ipv6_network_count_as_one(address: str, counted: str) -> None:
    assert counted_as(address) == counted


def test_addresses_are_forgotten_with_their_last_session() -> None:
    admission = Admission(max_sessions_per_address=5)
    for number in range(100):
        admission.enter(number, f"192.0.2.{number}")
    for number in range(100):
        admission.leave(number)
    assert not admission._by_address


@pytest.mark.parametrize(("limits", "reason", "sentence"), [
    ({"max_sessions": 1}, "full", "The server has reached its limit of sessions"),
    ({"max_sessions_per_address": 1}, "address", "Your address has reached its limit of sessions"),
])  # fmt: skip
def test_refusal_says_why_in_a_sentence(limits: dict[str, int], reason: str, sentence: str) -> None:
    admission = Admission(**limits)
    admission.enter("a", "192.0.2.1")
    with pytest.raises(Full) as caught:
        admission.check("192.0.2.1")
    assert (caught.value.reason, caught.value.sentence) == (reason, sentence)
    assert caught.value.sentence[1:] == str(caught.value)[1:]


@pytest.mark.parametrize(
    ("reason", "headline"),
    [
        ("full", "Too many visitors at the moment"),
        ("address", "Too many visitors at the moment"),
        ("taken", "This session cannot be opened at the moment"),
        ("store", "This session cannot be opened at the moment"),
        ("draining", "One moment, please"),
    ],
)
def test_page_begins_with_what_is_the_matter(reason: str, headline: str) -> None:
    assert Full("no session is given out", reason).headline == headline


def test_entering_twice_takes_one_place() -> None:
    admission = Admission(max_sessions=2, max_sessions_per_address=2)
    admission.enter("a", "192.0.2.1")
    admission.enter("a", "192.0.2.1")
    admission.enter("b", "192.0.2.1")
    assert len(admission) == 2
    admission.enter("b", "192.0.2.1")  # although the process is full


def test_process_is_full_at_its_limit_and_never_without_one() -> None:
    admission = Admission(max_sessions=1)
    assert not admission.full and not Admission().full
    admission.enter("a", "192.0.2.1")
    assert admission.full


def test_address_has_its_place_back_when_one_of_its_sessions_ends() -> None:
    admission = Admission(max_sessions_per_address=2)
    for key in "ab":
        admission.enter(key, "192.0.2.1")
    with pytest.raises(Full):
        admission.enter("c", "192.0.2.1")
    admission.leave("a")
    admission.enter("c", "192.0.2.1")
    with pytest.raises(Full):
        admission.enter("d", "192.0.2.1")


def test_without_a_limit_for_addresses_none_is_noted() -> None:
    admission = Admission(max_sessions=5)
    admission.enter("a", "192.0.2.1")
    assert not admission._by_address
    admission.leave("a")
    assert not admission._by_address and len(admission) == 0
