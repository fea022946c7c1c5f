"""Failed logins in memory that processes share."""

from __future__ import annotations

import os

import pytest

from app_server.auth.shared_failures import SharedFailures, SharedTable
from app_server.security.auth.throttle import Failure, Throttle


@pytest.fixture
def table() -> SharedTable:
    return SharedFailures().users


def test_table_keeps_what_it_is_given(table: SharedTable) -> None:
    assert table.get("ann") is None and len(table) == 0
    table.put("ann", Failure(3, 12.5))
    table.put("bob", Failure(1, 13.5))
    table.put("ann", Failure(4, 14.5))
    assert (table.get("ann"), table.get("bob"), len(table)) == (Failure(4, 14.5), Failure(1, 13.5), 2)
    table.drop("ann")
    table.drop("eve")
    assert (table.get("ann"), len(table)) == (None, 1)


def test_users_and_addresses_do_not_mix() -> None:
    failures = SharedFailures()
    failures.users.put("10.0.0.1", Failure(1, 1.0))
    failures.users.put("\ud800", Failure(2, 1.0))
    assert failures.addresses.get("10.0.0.1") is None and len(failures.addresses) == 0
    assert failures.users.get("\ud800") == Failure(2, 1.0)


def test_what_is_oldest_makes_room(table: SharedTable) -> None:
    for number in range(40_000):
        table.put(f"user {number}", Failure(1, float(number + 1)))
    assert len(table) == 8 * 1024
    found = [number for number in range(40_000) if table.get(f"user {number}") is not None]
    assert found[-1] == 39_999 and sum(found) / len(found) > 30_000


def test_processes_count_together() -> None:
    failures = SharedFailures()
    throttle = Throttle(failures)
    children = []
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            try:
                waited = [Throttle(failures).begin(f"user {number}", "192.0.2.7", 50.0) for number in range(4)]
                os._exit(int(sum(waited)))
            finally:
                os._exit(99)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 5
    assert failures.addresses.get("192.0.2.7") == Failure(20, 50.0)
    assert throttle.begin("eve", "192.0.2.7", 50.0) == 1.0
    assert throttle.begin("user 1", "192.0.2.8", 50.0) == 1.0  # five failures
    throttle.succeeded("user 1", "192.0.2.7")
    assert failures.users.get("user 1") is None and failures.addresses.get("192.0.2.7") == Failure(19, 50.0)
