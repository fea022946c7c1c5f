"""Failed logins slow down, and nothing grows without end."""

from __future__ import annotations

import pytest

from app_server.security.auth.throttle import ADDRESS, USER, Patience, Throttle


def fail(throttle: Throttle, times: int, user: str = "ann", address: str = "192.0.2.1", now_s: float = 0.0) -> float:
    """The wait that the last of so many attempts met, each made as soon as it may be."""
    wait_s = 0.0
    for _ in range(times):
        wait_s = throttle.begin(user, address, now_s)
        now_s += wait_s
        if wait_s:
            throttle.begin(user, address, now_s)
    return wait_s


def test_first_failures_cost_nothing() -> None:
    assert fail(Throttle(), USER.free) == 0.0


def test_further_failures_double_the_wait_up_to_a_limit() -> None:
    throttle, now_s, waits = Throttle(), 0.0, []
    for _ in range(USER.free + 8):
        wait_s = throttle.begin("ann", None, now_s)
        if wait_s:
            waits.append(wait_s)
            now_s += wait_s
            assert throttle.begin("ann", None, now_s) == 0.0
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_attempts_at_once_count_before_they_have_failed() -> None:
    throttle = Throttle()
    begun = [throttle.begin("ann", None, 0.0) for _ in range(100)]
    assert begun.count(0.0) == USER.free


def test_refused_attempt_does_not_count() -> None:
    throttle = Throttle()
    fail(throttle, USER.free)
    assert {throttle.begin("ann", "192.0.2.1", 0.5) for _ in range(50)} == {0.5}


def test_address_that_tries_many_users_is_slowed_down() -> None:
    throttle = Throttle()
    begun = [throttle.begin(f"user {number}", "192.0.2.1", 0.0) for number in range(100)]
    assert begun.count(0.0) == ADDRESS.free
    assert throttle.begin("somebody", "192.0.2.2", 0.0) == 0.0


def test_neighbours_of_an_ipv6_network_count_as_one() -> None:
    throttle = Throttle()
    begun = [throttle.begin(f"user {number}", f"2001:db8::{number:x}", 0.0) for number in range(100)]
    assert begun.count(0.0) == ADDRESS.free


def test_unix_socket_has_no_address_to_slow_down() -> None:
    throttle = Throttle()
    assert {throttle.begin(f"user {number}", "0.0.0.0", 0.0) for number in range(100)} == {0.0}


def test_success_clears_the_user_but_not_the_address() -> None:
    throttle = Throttle()
    for number in range(ADDRESS.free - 1):
        throttle.begin(f"user {number}", "192.0.2.1", 0.0)
    throttle.begin("ann", "192.0.2.1", 0.0)
    throttle.succeeded("ann", "192.0.2.1")
    assert throttle.begin("bob", "192.0.2.1", 0.0) == 0.0
    assert throttle.begin("cyd", "192.0.2.1", 0.0) > 0.0


def test_failures_are_forgotten_after_an_hour() -> None:
    throttle = Throttle()
    fail(throttle, USER.free)
    assert throttle.begin("ann", "192.0.2.1", 0.1) > 0.0
    assert fail(throttle, USER.free, now_s=3601) == 0.0


def test_memory_is_bounded() -> None:
    throttle = Throttle(most=100)
    for number in range(1000):
        throttle.begin(f"user {number}", f"192.0.{number // 250}.{number % 250}", 0.0)
    assert len(throttle) == 200


def test_wait_begins_with_the_first_failure_that_is_not_free() -> None:
    patience = Patience(free=2, longest_s=5)
    assert [patience.wait_s(failures) for failures in range(7)] == [0, 0, 1, 2, 4, 5, 5]
    assert patience.wait_s(10**6) == 5


def test_users_are_slowed_down_sooner_and_offices_for_longer() -> None:
    assert (USER, ADDRESS) == (Patience(free=5, longest_s=30), Patience(free=20, longest_s=300))
    throttle = Throttle()
    for number in range(10_001):
        throttle.begin(f"user {number}", None, 0.0)
    assert len(throttle) == 10_000


def test_wait_is_over_to_the_second() -> None:
    throttle = Throttle()
    fail(throttle, USER.free)
    assert throttle.begin("ann", None, 0.75) == 0.25
    assert throttle.begin("ann", None, 1.0) == 0.0


@pytest.mark.parametrize(("later_s", "kept"), [(3600.0, True), (3600.5, False)])
def test_failures_are_kept_for_an_hour_after_the_last(later_s: float, kept: bool) -> None:
    throttle, now_s = Throttle(), 0.0
    for _ in range(USER.free + 3):
        now_s += throttle.begin("ann", None, now_s)
        throttle.begin("ann", None, now_s)
    now_s += 60
    assert throttle.begin("ann", None, now_s) == 0.0
    assert throttle.begin("ann", None, now_s + later_s) == 0.0
    assert (throttle.begin("ann", None, now_s + later_s) > 0.0) is kept


def test_success_clears_the_user() -> None:
    throttle = Throttle()
    for _ in range(USER.free):
        throttle.begin("ann", None, 0.0)
    throttle.succeeded("ann", None)
    assert throttle.begin("ann", None, 0.0) == 0.0
    assert len(throttle) == 1


def test_success_takes_back_what_its_address_was_charged() -> None:
    throttle = Throttle()
    for number in range(100):
        assert throttle.begin(f"user {number}", "192.0.2.1", 0.0) == 0.0
        throttle.succeeded(f"user {number}", "192.0.2.1")
    assert len(throttle) == 0


def test_success_that_was_forgotten_meanwhile_takes_nothing_back() -> None:
    throttle = Throttle(most=1)
    throttle.begin("ann", "192.0.2.1", 0.0)
    throttle.begin("bob", "192.0.2.2", 0.0)
    throttle.succeeded("ann", "192.0.2.1")
    assert len(throttle) == 2


def test_the_one_who_failed_last_is_forgotten_last() -> None:
    throttle = Throttle(most=2)
    for _ in range(USER.free - 1):
        throttle.begin("ann", None, 0.0)
    throttle.begin("bob", None, 0.0)
    throttle.begin("ann", None, 0.0)
    throttle.begin("cyd", None, 0.0)  # for whom bob is forgotten
    assert throttle.begin("ann", None, 0.0) == 1.0


@pytest.mark.parametrize("one", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"])
def test_address_is_one_however_it_is_written(one: str) -> None:
    throttle = Throttle()
    for number in range(ADDRESS.free):
        throttle.begin(f"user {number}", one, 0.0)
    assert throttle.begin("somebody", "192.0.2.1", 0.0) > 0.0
    assert throttle.begin("somebody", "::ffff:192.0.2.2", 0.0) == 0.0


@pytest.mark.parametrize("address", [None, "", "unix", "0.0.0.0", "::", "::ffff:0.0.0.0"])
def test_what_is_no_address_slows_nobody_down(address: str | None) -> None:
    throttle = Throttle()
    assert {throttle.begin(f"user {number}", address, 0.0) for number in range(100)} == {0.0}


def test_interface_of_a_link_local_address_does_not_matter() -> None:
    throttle = Throttle()
    for number in range(ADDRESS.free):
        throttle.begin(f"user {number}", "fe80::1%eth0", 0.0)
    assert throttle.begin("somebody", "fe80::2%eth1", 0.0) > 0.0


def test_success_leaves_the_other_failures_of_its_address() -> None:
    throttle = Throttle()
    for user in ("ann", "bob"):
        throttle.begin(user, "192.0.2.1", 0.0)
    throttle.succeeded("ann", "192.0.2.1")
    assert len(throttle) == 2  # bob, and the address


@pytest.mark.parametrize(("other", "slow"), [
    ("2001:db8:0:0:8000::1", True), ("2001:db8::ffff:ffff:ffff:ffff", True), ("2001:db8:0:1::1", False),
])  # fmt: skip
def test_network_of_an_ipv6_address_ends_with_its_64th_bit(other: str, slow: bool) -> None:
    throttle = Throttle()
    for number in range(ADDRESS.free):
        throttle.begin(f"user {number}", "2001:db8::1", 0.0)
    assert (throttle.begin("somebody", other, 0.0) > 0.0) is slow
