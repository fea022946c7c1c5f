"""Who gets a session when there are many."""

from __future__ import annotations

from collections.abc import Set

import pytest

from app_server.security.admission import Admission, Full, Key, counted_as


def key(name: str) -> Key:
    """What a session of this id is counted by."""
    return "/app", name


def test_without_limits_everybody_enters() -> None:
    admission = Admission()
    for number in range(1000):
        admission.enter(key(str(number)), "192.0.2.1")
    assert len(admission) == 1000


def test_full_process_takes_nobody_until_a_place_is_free() -> None:
    admission = Admission(max_sessions=2)
    admission.enter(key("a"), "192.0.2.1")
    admission.enter(key("b"), "192.0.2.2")
    with pytest.raises(Full) as caught:
        admission.enter(key("c"), "192.0.2.3")
    assert (str(caught.value), caught.value.reason) == ("the server has reached its limit of sessions", "full")
    admission.leave(key("a"))
    admission.enter(key("c"), "192.0.2.3")


def test_one_address_does_not_take_the_places_of_others() -> None:
    admission = Admission(max_sessions_per_address=1)
    admission.enter(key("a"), "192.0.2.1")
    with pytest.raises(Full) as caught:
        admission.check("192.0.2.1")
    assert caught.value.reason == "address"
    admission.enter(key("b"), "192.0.2.2")
    admission.leave(key("a"))
    admission.enter(key("c"), "192.0.2.1")


def test_leaving_twice_or_without_a_place_frees_nothing() -> None:
    admission = Admission(max_sessions=1, max_sessions_per_address=1)
    admission.enter(key("a"), "192.0.2.1")
    admission.leave(key("b"))
    with pytest.raises(Full):
        admission.check("192.0.2.2")
    admission.leave(key("a"))
    admission.leave(key("a"))
    admission.enter(key("c"), "192.0.2.1")
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
        admission.enter(key(str(number)), f"192.0.2.{number}")
    for number in range(100):
        admission.leave(key(str(number)))
    assert not admission._by_address


@pytest.mark.parametrize(("limits", "reason", "sentence"), [
    ({"max_sessions": 1}, "full", "The server has reached its limit of sessions"),
    ({"max_sessions_per_address": 1}, "address", "Your address has reached its limit of sessions"),
])  # fmt: skip
def test_refusal_says_why_in_a_sentence(limits: dict[str, int], reason: str, sentence: str) -> None:
    admission = Admission(**limits)
    admission.enter(key("a"), "192.0.2.1")
    with pytest.raises(Full) as caught:
        admission.check("192.0.2.1")
    assert (caught.value.reason, caught.value.sentence) == (reason, sentence)
    assert caught.value.sentence[1:] == str(caught.value)[1:]


@pytest.mark.parametrize(
    ("reason", "headline"),
    [
        ("full", "Too many visitors at the moment"),
        ("address", "Too many visitors at the moment"),
        ("user", "You have too many pages open"),
        ("taken", "This session cannot be opened at the moment"),
        ("store", "This session cannot be opened at the moment"),
        ("draining", "One moment, please"),
    ],
)
def test_page_begins_with_what_is_the_matter(reason: str, headline: str) -> None:
    assert Full("no session is given out", reason).headline == headline


def test_entering_twice_takes_one_place() -> None:
    admission = Admission(max_sessions=2, max_sessions_per_address=2)
    admission.enter(key("a"), "192.0.2.1")
    admission.enter(key("a"), "192.0.2.1")
    admission.enter(key("b"), "192.0.2.1")
    assert len(admission) == 2
    admission.enter(key("b"), "192.0.2.1")  # although the process is full


def test_process_is_full_at_its_limit_and_never_without_one() -> None:
    admission = Admission(max_sessions=1)
    assert not admission.full and not Admission().full
    admission.enter(key("a"), "192.0.2.1")
    assert admission.full


def test_address_has_its_place_back_when_one_of_its_sessions_ends() -> None:
    admission = Admission(max_sessions_per_address=2)
    for name in "ab":
        admission.enter(key(name), "192.0.2.1")
    with pytest.raises(Full):
        admission.enter(key("c"), "192.0.2.1")
    admission.leave(key("a"))
    admission.enter(key("c"), "192.0.2.1")
    with pytest.raises(Full):
        admission.enter(key("d"), "192.0.2.1")


def test_without_a_limit_for_addresses_none_is_noted() -> None:
    admission = Admission(max_sessions=5)
    admission.enter(key("a"), "192.0.2.1")
    assert not admission._by_address
    admission.leave(key("a"))
    assert not admission._by_address and len(admission) == 0


@pytest.mark.parametrize(
    ("most", "sentence"),
    [
        (1, "You have an open session here; close its page and try again"),
        (2, "You have 2 open sessions here; close a page and try again"),
    ],
)
def test_user_at_the_limit_is_told_how_many_sessions_are_open(most: int, sentence: str) -> None:
    admission = Admission(max_sessions_per_user=most)
    for number in range(most):
        admission.enter(key(str(number)), f"192.0.2.{number}", "ann")
    with pytest.raises(Full) as caught:
        admission.enter(key("more"), "192.0.2.9", "ann")
    assert (caught.value.reason, caught.value.sentence) == ("user", sentence) and len(admission) == most
    admission.enter(key("more"), "192.0.2.1", "bob")
    admission.leave(key("0"))
    admission.enter(key("again"), "192.0.2.1", "ann")


def test_visitors_without_a_login_are_not_limited_as_users() -> None:
    admission = Admission(max_sessions_per_user=1)
    for number in range(9):
        admission.enter(key(str(number)), "192.0.2.1")
    assert len(admission) == 9 and not admission._by_owner


def test_users_are_forgotten_with_their_last_session_and_not_noted_without_a_limit() -> None:
    limited, free = Admission(max_sessions_per_user=5), Admission()
    for admission in (limited, free):
        admission.enter(key("a"), "", "ann")
    assert limited.sessions_of("ann") == {key("a")} and not free._by_owner
    limited.leave(key("a"))
    assert not limited._by_owner and not limited.sessions_of("ann")


def with_others(*elsewhere: str) -> Admission:
    """Two sessions are allowed for a user, who has these in other processes."""

    async def ask(owner: str) -> Set[Key]:
        return {key(name) for name in elsewhere} if owner == "ann" else set()

    return Admission(max_sessions_per_user=2, elsewhere=ask)


async def test_sessions_in_other_processes_are_counted_too() -> None:
    admission = with_others("there")
    await admission.check_everywhere("", "ann")
    admission.enter(key("first"), "", "ann")
    await admission.confirm(key("first"), "ann")
    with pytest.raises(Full, match="you have 2 open sessions here"):
        await admission.check_everywhere("", "ann")
    admission.enter(key("second"), "", "ann")
    with pytest.raises(Full, match="you have 2 open sessions here"):
        await admission.confirm(key("second"), "ann")
    admission.enter(key("third"), "", "bob")
    await admission.confirm(key("third"), "bob")


async def test_session_that_moves_from_another_process_is_counted_once() -> None:
    admission = with_others("one", "two")
    for name in ("one", "two"):
        admission.enter(key(name), "", "ann")
        await admission.confirm(key(name), "ann")
