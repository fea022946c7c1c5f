"""Bookmarks in Redis: a hash for each, which expires by itself, and a sorted set of their names by their ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from app_server.store.base import Entry, checked_name, is_bookmark_name
from app_server.store.errors import TooLarge

_KEEP_FOR: Final = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
"""
"""The set expires with the last of its bookmarks, also if two processes add to it at once."""


class RedisBookmarks:
    """The bookmarks whose keys begin with `prefix`. Methods raise what the client raises; `clock` is of this host."""

    def __init__(self, redis: Any, prefix: str, clock: Callable[[], float]) -> None:
        self._redis, self._clock = redis, clock
        self.prefix = f"{prefix}view:"
        self._names = f"{prefix}views"

    def put(self, name: str, data: bytes, ttl_s: float) -> None:
        """See `Store.put`."""
        key = self._key(checked_name(name))
        now_s, ttl_ms = self._clock(), max(1, round(ttl_s * 1000))
        with self._redis.pipeline(transaction=True) as batch:
            batch.delete(key)
            batch.hset(key, mapping={"data": data, "saved_at": repr(now_s)})
            batch.pexpire(key, ttl_ms)
            batch.zadd(self._names, {name: now_s + ttl_s})
            batch.eval(_KEEP_FOR, 1, self._names, ttl_ms)
            batch.execute()

    def get(self, name: str, max_bytes: int) -> bytes | None:
        """See `Store.get`."""
        if not is_bookmark_name(name):
            return None
        size = self._redis.hstrlen(self._key(name), "data")
        if size > max_bytes:
            raise TooLarge("the bookmark", limit_bytes=max_bytes, size_bytes=size)
        return cast("bytes | None", self._redis.hget(self._key(name), "data"))

    def drop(self, name: str) -> bool:
        """See `Store.drop`."""
        if not is_bookmark_name(name):
            return False
        with self._redis.pipeline(transaction=True) as batch:
            batch.delete(self._key(name)).zrem(self._names, name)
            return bool(batch.execute()[0])

    def count(self) -> int:
        """See `Store.count_bookmarks`."""
        with self._redis.pipeline(transaction=True) as batch:
            batch.zremrangebyscore(self._names, "-inf", self._clock()).zcard(self._names)
            return int(batch.execute()[1])

    def entry(self, name: str) -> Entry | None:
        """What `Store.entries` says of it; None if it is gone."""
        key = self._key(name)
        with self._redis.pipeline(transaction=False) as batch:
            batch.hstrlen(key, "data").hget(key, "saved_at").pttl(key)
            size, saved_at, left_ms = batch.execute()
        if saved_at is None:
            return None
        return Entry(name, size, float(saved_at), False, True, self._clock() + left_ms / 1000)

    def _key(self, name: str) -> str:
        return f"{self.prefix}{name}"
