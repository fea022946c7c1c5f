from __future__ import annotations

from typing import Any

import pytest

from app_server.session.connection import Connection
from app_server.session.registry import Registry
from tests.unit.session.making import make_session


def test_build_that_succeeds_makes_a_living_session_and_tells_who_waits() -> None:
    registry, outcomes = Registry(), []
    build = registry.begin("one")
    build.waiters.append(lambda session, error: outcomes.append((session, error)))
    assert (registry.get("one"), registry.building("one"), len(registry)) == (None, build, 0)
    session = make_session("one")
    registry.succeed(build, session)
    assert (registry.get("one"), registry.building("one"), list(registry)) == (session, None, [session])
    assert outcomes == [(session, None)]


def test_build_that_fails_frees_the_id_and_tells_who_waits() -> None:
    registry, outcomes = Registry(), []
    build = registry.begin("one")
    build.waiters.append(lambda session, error: outcomes.append((session, error)))
    error = ValueError()
    registry.fail(build, error)
    assert (registry.get("one"), registry.building("one")) == (None, None)
    assert outcomes == [(None, error)]
    assert registry.begin("one") is not build


@pytest.mark.parametrize("living", [False, True])
def test_id_is_built_once(living: bool) -> None:
    registry = Registry()
    build = registry.begin("one")
    if living:
        registry.succeed(build, make_session("one"))
    with pytest.raises(RuntimeError):
        registry.begin("one")


def test_waiter_may_begin_the_next_build_of_a_failed_id() -> None:
    registry, begun = Registry(), []
    build = registry.begin("one")
    build.waiters.append(lambda session, error: begun.append(registry.begin("one")))
    registry.fail(build, ValueError())
    assert registry.building("one") is begun[0]


def test_session_is_removed_once() -> None:
    registry = Registry()
    session = make_session("one")
    registry.succeed(registry.begin("one"), session)
    assert [registry.remove(session), registry.remove(session), registry.get("one")] == [True, False, None]


def living(registry: Registry, ident: str, **options: Any) -> Any:
    session = make_session(ident, **options)
    registry.succeed(registry.begin(ident), session)
    return session


def test_sessions_are_unused_when_their_lifetime_without_clients_is_over() -> None:
    registry = Registry()
    old, young = living(registry, "old", now_s=0.0), living(registry, "young", now_s=8.0)
    assert registry.unused(10.0, 5.0) == [old]
    assert registry.unused(13.5, 5.0) == [old, young]


def test_session_with_a_client_is_used() -> None:
    registry = Registry()
    session = living(registry, "one", now_s=0.0)
    client = Connection(1)
    session.join(client)
    assert registry.unused(1000.0, 5.0) == []
    session.leave(client, 1000.0)
    assert registry.unused(1004.0, 5.0) == []
    assert registry.unused(1006.0, 5.0) == [session]


def test_session_that_asked_for_its_end_is_unused_as_soon_as_its_clients_are_gone() -> None:
    registry = Registry()
    session = living(registry, "one", now_s=0.0)
    client = Connection(1)
    session.join(client)
    session.request_expiration()
    assert registry.unused(0.0, 5.0) == []
    session.leave(client, 0.0)
    assert registry.unused(0.0, 5.0) == [session]


def test_id_that_is_taken_is_named_in_part() -> None:
    registry = Registry()
    registry.begin("0123456789")
    with pytest.raises(RuntimeError, match="^session 01234567… is there already$"):
        registry.begin("0123456789")


def test_lifetime_is_over_when_more_than_it_has_passed() -> None:
    registry = Registry()
    session = living(registry, "one", now_s=0.0)
    assert registry.unused(5.0, 5.0) == []
    assert registry.unused(5.5, 5.0) == [session]


def test_session_whose_end_is_blocked_is_used() -> None:
    registry = Registry()
    session = living(registry, "one", now_s=0.0)
    session.block_expiration()
    session.request_expiration()
    assert registry.unused(1000.0, 5.0) == []
    session.unblock_expiration()
    assert registry.unused(0.0, 5.0) == [session]


def test_everybody_who_waits_for_a_build_is_told_once() -> None:
    registry, outcomes = Registry(), []
    build = registry.begin("one")
    for number in range(3):
        build.waiters.append(lambda session, error, number=number: outcomes.append(number))
    registry.succeed(build, make_session("one"))
    assert (outcomes, build.waiters) == ([0, 1, 2], [])


def test_sessions_may_end_while_they_are_gone_through() -> None:
    registry = Registry()
    for ident in ("one", "two"):
        living(registry, ident)
    for session in registry:
        assert registry.remove(session)
    assert len(registry) == 0
