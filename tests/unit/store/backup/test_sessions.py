"""Sessions and bookmarks from any store into a backup, and from there into any other, folders and a real Redis."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app_server.store.backup.archive import Member
from app_server.store.backup.sessions import Restored, saved_members
from app_server.store.base import Store, Write
from app_server.store.errors import Unavailable
from app_server.store.location import open_store
from tests.support.servers.redis import RunningRedis, redis_folder, running_redis
from tests.unit.store.making import KEY, OTHER, TTL_S, saved

VIEW = "spring-2026"


@pytest.fixture(scope="module")
def redis() -> Iterator[RunningRedis]:
    """A Redis of this file's own."""
    with redis_folder() as folder, running_redis(folder) as running:
        yield running


@pytest.fixture
def stores(tmp_path: Path, redis: RunningRedis) -> Iterator[dict[str, Store]]:
    """Empty stores, by their kinds."""
    redis.say("FLUSHALL")
    with ExitStack() as ends:
        places = {"folder": str(tmp_path / "a"), "other folder": str(tmp_path / "b"), "redis": redis.location}
        opened = {}
        for kind, place in places.items():
            store = open_store(place, ttl_s=TTL_S, max_bytes=10_000_000)
            assert store is not None
            store.check()
            ends.callback(store.close)
            opened[kind] = store
        yield opened


@pytest.mark.parametrize(("begin", "end"), [("folder", "other folder"), ("folder", "redis"), ("redis", "folder")])
def test_what_is_saved_moves_from_one_store_to_another(stores: dict[str, Store], begin: str, end: str) -> None:
    old, new, now = stores[begin], stores[end], time.time()
    # One has an owner that goes on saving, and is large; the other sleeps.
    claim = saved(old, b"x" * 300_000)
    old.release(saved(old, b"asleep", OTHER))
    old.put(VIEW, b"view", 500)
    old.put("expired-view", b"gone", 0.001)
    found = list(saved_members(old, now + 1))
    assert sorted((each.kind, each.name, len(each.data)) for each in found) == [
        ("bookmark", VIEW, 4), ("session", KEY, 300_000), ("session", OTHER, 6),
    ]  # fmt: skip
    assert old.write([Write(claim, b"more", False)]) == []
    restored = Restored()
    for member in found:
        restored.add(new, member, now)
    assert (restored.sessions, restored.bookmarks, restored.kept) == (2, 1, 0)
    again = new.claim(KEY, create=False)
    assert again is not None and new.read(again, 10**6) == b"x" * 300_000
    assert new.get(VIEW, 100) == b"view"
    [view] = [each for each in new.entries() if each.bookmark]
    assert view.expires_s is not None and abs(view.expires_s - now - 500) < 5


@pytest.mark.parametrize("kind", ["folder", "redis"])
def test_what_exists_stays_as_it_is(stores: dict[str, Store], kind: str) -> None:
    store, now, restored = stores[kind], time.time(), Restored()
    claim = saved(store, b"newer")
    # A server has built this one, and has not saved it yet.
    assert store.claim(OTHER, create=True) is not None
    store.put(VIEW, b"newer", 500)
    for member in (
        Member("session", KEY, b"older"), Member("session", OTHER, b"older"),
        Member("bookmark", VIEW, b"older", now + 9), Member("bookmark", "long-gone", b"", now - 1),
    ):  # fmt: skip
        restored.add(store, member, now)
    assert (restored.sessions, restored.bookmarks, restored.kept, restored.expired) == (0, 0, 3, 1)
    assert store.read(claim, 100) == b"newer" and store.get(VIEW, 100) == b"newer"


def test_session_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "s"), ttl_s=TTL_S, max_bytes=10)
    assert store is not None
    with pytest.raises(Unavailable, match="more than 10 bytes"):
        Restored().add(store, Member("session", KEY, b"x" * 11), time.time())
    assert list(store.entries()) == []
    store.close()


class Growing:
    """A store whose only journal has grown since it was listed."""

    def __init__(self, store: Store, data: bytes) -> None:
        self._store, self._data = store, data

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def head(self, key: str, size_bytes: int) -> bytes:
        """As after a write of a larger document."""
        return self._data[:size_bytes]


def test_journal_that_grows_meanwhile_is_whole(stores: dict[str, Store]) -> None:
    store = stores["folder"]
    saved(store, b"small")
    large = bytes(range(256)) * 2000
    [member] = saved_members(Growing(store, large), time.time())  # type: ignore[arg-type]
    assert member.data == large


def test_folder_that_is_deleted_meanwhile_has_nothing(stores: dict[str, Store], tmp_path: Path) -> None:
    stores["folder"].release(saved(stores["folder"]))
    shutil.rmtree(tmp_path / "a")
    assert list(saved_members(stores["folder"], time.time())) == []
