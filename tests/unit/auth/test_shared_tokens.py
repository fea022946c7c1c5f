"""Tokens in memory that processes share."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from app_server.auth.shared_tokens import LONGEST_TOKENS, SharedTokens


@pytest.fixture
def shared() -> SharedTokens:
    return SharedTokens()


def test_tokens_of_a_user_are_there_until_they_are_dropped(shared: SharedTokens) -> None:
    assert shared.get("ann") is None
    assert shared.put("ann", 1.0, "one") and shared.put("bob", 2.0, "two")
    assert shared.put("ann", 3.0, "three and more")
    assert (shared.get("ann"), shared.get("bob")) == ("three and more", "two")
    shared.drop("ann")
    shared.drop("eve")
    assert (shared.get("ann"), shared.get("bob")) == (None, "two")


def test_tokens_that_are_too_long_are_not_kept(shared: SharedTokens) -> None:
    assert shared.put("ann", 1.0, "x" * LONGEST_TOKENS)
    assert shared.get("ann") == "x" * LONGEST_TOKENS
    assert not shared.put("bob", 1.0, "x" * (LONGEST_TOKENS + 1))


def test_what_is_oldest_makes_room(shared: SharedTokens) -> None:
    for number in range(8000):
        shared.put(f"user {number}", float(number + 1), str(number))
    found = [number for number in range(8000) if shared.get(f"user {number}") is not None]
    assert found[-1] == 7999 and 3500 < len(found) <= 4096 and sum(found) / len(found) > 5000


def in_child(work: Callable[[], bool]) -> bool:
    """What this returns in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(99)
    return {0: True, 1: False}[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]


def test_other_processes_see_them_and_wait_for_the_lock(shared: SharedTokens) -> None:
    assert shared.lock("ann")
    assert in_child(lambda: not shared.lock("ann") and shared.put("ann", 1.0, "from the child"))
    assert shared.get("ann") == "from the child"
    shared.unlock("ann")
    assert in_child(lambda: shared.lock("ann"))
    assert shared.lock("ann")  # the child has ended


def test_set_stays_locked_until_the_last_of_its_users_is_renewed(shared: SharedTokens) -> None:
    names = (f"user {number}" for number in range(100_000))
    other = next(name for name in names if shared._place(name)[1] == shared._place("ann")[1])
    assert shared.lock("ann") and shared.lock(other)
    shared.unlock("ann")
    assert not in_child(lambda: shared.lock(other))
    shared.unlock(other)
    assert in_child(lambda: shared.lock(other))
