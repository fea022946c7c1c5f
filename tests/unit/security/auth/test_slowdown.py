"""Failed logins slow down, and nothing grows without end."""

from __future__ import annotations

from app_server.security.auth.slowdown import ADDRESS, USER, Slowdown


def fail(slowdown: Slowdown, times: int, user: str = "ann", address: str = "192.0.2.1", now_s: float = 0.0) -> float:
    """The wait that the last of so many attempts met, each made as soon as it may be."""
    wait_s = 0.0
    for _ in range(times):
        wait_s = slowdown.begin(user, address, now_s)
        now_s += wait_s
        if wait_s:
            slowdown.begin(user, address, now_s)
    return wait_s


def test_first_failures_cost_nothing() -> None:
    assert fail(Slowdown(), USER.free) == 0.0


def test_further_failures_double_the_wait_up_to_a_limit() -> None:
    slowdown, now_s, waits = Slowdown(), 0.0, []
    for _ in range(USER.free + 8):
        wait_s = slowdown.begin("ann", None, now_s)
        if wait_s:
            waits.append(wait_s)
            now_s += wait_s
            assert slowdown.begin("ann", None, now_s) == 0.0
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_attempts_at_once_count_before_they_have_failed() -> None:
    slowdown = Slowdown()
    begun = [slowdown.begin("ann", None, 0.0) for _ in range(100)]
    assert begun.count(0.0) == USER.free


def test_refused_attempt_does_not_count() -> None:
    slowdown = Slowdown()
    fail(slowdown, USER.free)
    assert {slowdown.begin("ann", "192.0.2.1", 0.5) for _ in range(50)} == {0.5}


def test_address_that_tries_many_users_is_slowed_down() -> None:
    slowdown = Slowdown()
    begun = [slowdown.begin(f"user {number}", "192.0.2.1", 0.0) for number in range(100)]
    assert begun.count(0.0) == ADDRESS.free
    assert slowdown.begin("somebody", "192.0.2.2", 0.0) == 0.0


def test_neighbours_of_an_ipv6_network_count_as_one() -> None:
    slowdown = Slowdown()
    begun = [slowdown.begin(f"user {number}", f"2001:db8::{number:x}", 0.0) for number in range(100)]
    assert begun.count(0.0) == ADDRESS.free


def test_unix_socket_has_no_address_to_slow_down() -> None:
    slowdown = Slowdown()
    assert {slowdown.begin(f"user {number}", "0.0.0.0", 0.0) for number in range(100)} == {0.0}


def test_success_clears_the_user_but_not_the_address() -> None:
    slowdown = Slowdown()
    for number in range(ADDRESS.free - 1):
        slowdown.begin(f"user {number}", "192.0.2.1", 0.0)
    slowdown.begin("ann", "192.0.2.1", 0.0)
    slowdown.succeeded("ann", "192.0.2.1")
    assert slowdown.begin("bob", "192.0.2.1", 0.0) == 0.0
    assert slowdown.begin("cyd", "192.0.2.1", 0.0) > 0.0


def test_failures_are_forgotten_after_an_hour() -> None:
    slowdown = Slowdown()
    fail(slowdown, USER.free)
    assert slowdown.begin("ann", "192.0.2.1", 0.1) > 0.0
    assert fail(slowdown, USER.free, now_s=3601) == 0.0


def test_memory_is_bounded() -> None:
    slowdown = Slowdown(most=100)
    for number in range(1000):
        slowdown.begin(f"user {number}", f"192.0.{number // 250}.{number % 250}", 0.0)
    assert len(slowdown) == 200
