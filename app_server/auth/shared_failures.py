"""Failed logins that all processes of a server count together, in shared memory.

    table = sets of 8 records; the key chooses the set
    record = digest of the key (zeros: free), when the last login failed by the monotonic clock, how many have

If a set is full, the record whose last failure is the oldest makes room. The digests depend on a secret of this run, so
strangers cannot choose which records that is.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from app_server.security.auth.throttle import Failure
from app_server.system import SharedMemory

_RECORD = struct.Struct("16sdQ")
_WAYS = 8
_SETS = 1024
_FREE = bytes(16)


class SharedTable:
    """One of two tables in shared memory: records by their keys."""

    def __init__(self, memory: mmap.mmap, start: int, secret: bytes) -> None:
        self._memory = memory
        self._start = start
        self._secret = secret

    def __len__(self) -> int:
        places = range(self._start, self._start + TABLE_BYTES, _RECORD.size)
        return sum(self._memory[place : place + 16] != _FREE for place in places)

    def get(self, key: str) -> Failure | None:
        """What is known of this key."""
        digest, places = self._places(key)
        for place in places:
            found, last_s, count = _RECORD.unpack_from(self._memory, place)
            if found == digest:
                return Failure(count, last_s)
        return None

    def put(self, key: str, failure: Failure) -> None:
        """Keep this for the key, in place of what is known of it, or of what is oldest."""
        digest, places = self._places(key)
        records = [(place, *_RECORD.unpack_from(self._memory, place)) for place in places]
        # The key's own record first, then a free one, whose time is 0.
        place, *_ = min(records, key=lambda record: (record[1] != digest, record[2]))
        _RECORD.pack_into(self._memory, place, digest, failure.last_s, failure.count)

    def drop(self, key: str) -> None:
        """Forget this key."""
        digest, places = self._places(key)
        for place in places:
            if self._memory[place : place + 16] == digest:
                _RECORD.pack_into(self._memory, place, _FREE, 0.0, 0)

    def _places(self, key: str) -> tuple[bytes, range]:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()
        start = self._start + int.from_bytes(digest[:4]) % _SETS * _WAYS * _RECORD.size
        return digest, range(start, start + _WAYS * _RECORD.size, _RECORD.size)


TABLE_BYTES = _SETS * _WAYS * _RECORD.size


class SharedFailures:
    """The failures of users and those of addresses, for the processes that are forked from the one that made this."""

    def __init__(self) -> None:
        self._shared = SharedMemory("app-server-failed-logins", 2 * TABLE_BYTES)
        memory = self._shared.memory
        secret = os.urandom(16)
        self.users = SharedTable(memory, 0, secret)
        self.addresses = SharedTable(memory, TABLE_BYTES, secret)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the other processes out meanwhile; the kernel ends the lock of one that is killed."""
        self._shared.lock(wait=True)
        try:
            yield
        finally:
            self._shared.unlock()


@cache
def failures_of_this_run() -> SharedFailures:
    """What a server's processes count together: the one from which they are forked has to ask for it first."""
    return SharedFailures()


def shared_failures() -> SharedFailures | None:
    """What `failures_of_this_run` has made; None if this process shares failures with no other."""
    return failures_of_this_run() if failures_of_this_run.cache_info().currsize else None
