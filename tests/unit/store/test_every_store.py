"""What every store does, in a folder and in a real Redis."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from app_server.store.base import Ending, Store, Write
from app_server.store.location import open_store
from tests.support.servers.redis import RunningRedis, redis_folder, running_redis
from tests.support.waiting import until
from tests.unit.store.making import KEY, LIMIT, OTHER, TTL_S, claimed, saved


@dataclass(frozen=True)
class Place:
    """Where sessions are saved; `forget` deletes everything there."""

    location: str
    forget: Callable[[], object]
    stores: ExitStack

    def opened(self) -> Store:
        """A store as another process opens it; it is closed at the end."""
        store = open_store(self.location, ttl_s=TTL_S, max_bytes=LIMIT)
        assert store is not None
        store.check()
        self.stores.callback(store.close)
        return store


@pytest.fixture(scope="module")
def redis() -> Iterator[RunningRedis]:
    with redis_folder() as folder, running_redis(folder) as running:
        yield running


@pytest.fixture(params=["folder", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stores:
        if request.param == "folder":
            folder = tmp_path / "sessions"
            yield Place(str(folder), lambda: shutil.rmtree(folder), stores)
        else:
            redis: RunningRedis = request.getfixturevalue("redis")
            redis.say("FLUSHALL")
            yield Place(redis.location, lambda: redis.say("FLUSHALL"), stores)


@pytest.fixture
def store(place: Place) -> Store:
    return place.opened()


def test_journal_is_replaced_and_appended_to(store: Store) -> None:
    claim = claimed(store)
    assert store.read(claim, LIMIT) == b""
    store.write([Write(claim, b"one", True), Write(claim, b" \0\xff", False)])
    assert store.read(claim, LIMIT) == b"one \0\xff"
    store.write([Write(claim, b"new", True)])
    store.write([Write(claim, b" end", False)])
    assert store.read(claim, LIMIT) == b"new end"


def test_closing_releases_all(store: Store, place: Place) -> None:
    leaving = place.opened()
    claims = [saved(leaving, key=key) for key in (KEY, OTHER)]
    leaving.close()
    assert all(store.claim(claim.key, create=False) for claim in claims)


def test_owner_of_a_session_that_was_revoked_has_lost_it(store: Store, place: Place) -> None:
    claim, quiet = saved(store), saved(store, key=OTHER)
    other = place.opened()
    assert other.revoke(KEY) and not other.revoke(KEY)
    assert store.renew([claim, quiet]) == [claim]
    assert store.write([Write(claim, b"!", False)]) == [claim]
    assert [entry.key for entry in other.entries()] == [OTHER] and other.claim(KEY, create=False) is None
    saved(other)
    store.delete(claim)
    assert other.is_saved(KEY)


def test_bookmarks_are_counted(store: Store, place: Place) -> None:
    assert store.count_bookmarks() == 0
    for name in ("first-one", "second-one", "third-one"):
        store.put(name, b"view", 60)
        store.put(name, b"view, once more", 60)
    saved(store)
    assert store.count_bookmarks() == place.opened().count_bookmarks() == 3
    assert store.drop("first-one") and not store.drop("first-one")
    assert store.count_bookmarks() == 2
    store.put("brief-one", b"view", 0.05)
    until(lambda: store.purge(TTL_S, time.time()) + store.count_bookmarks() == 2, "what has expired is not counted")


def test_what_is_to_end_is_found_once_by_each_process(store: Store, place: Place) -> None:
    other = place.opened()
    assert list(store.endings()) == list(other.endings()) == []
    first, second = Ending(KEY, 1.5), Ending(OTHER, 2.25)
    store.end(first)
    assert list(other.endings()) == [first] and list(other.endings()) == []
    other.end(second)
    assert list(store.endings()) == [first, second] and list(other.endings()) == [second]
    assert list(other.entries()) == [] and other.purge(0, time.time()) == 0
    place.forget()
    assert list(store.endings()) == []
    store.end(first)
    assert list(store.endings()) == [first]
