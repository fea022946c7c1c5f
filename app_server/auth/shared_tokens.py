"""The newest access token of each user, in memory that all processes of a server share: one process renews it.

    table = sets of 4 records; the user chooses the set, which has a lock
    record = digest of the user (zeros: free), when the tokens were obtained, how long they are, and they, encrypted

A provider may take a refresh token only once, and take its second use for a theft. So the process that renews holds the
lock of the set meanwhile, and the others find what it has been given. Nothing of it is on a disk.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import Counter
from functools import cache

from app_server.system import SharedMemory

_HEADER = struct.Struct("16sdI")
_RECORD_BYTES = 8192
_WAYS = 4
_SETS = 1024
_SET_BYTES = _WAYS * _RECORD_BYTES
_FREE = bytes(16)

LONGEST_TOKENS = _RECORD_BYTES - _HEADER.size
"""How many bytes of a user's tokens fit, when encrypted."""


class SharedTokens:
    """The tokens of the processes that are forked from the one that made this."""

    def __init__(self) -> None:
        self._shared = SharedMemory("app-server-access-tokens", _SETS * _SET_BYTES)
        self._memory = self._shared.memory
        self._secret = os.urandom(16)
        # The kernel's locks are the process's: the first of two users in a set must not unlock it for the second.
        self._held: Counter[int] = Counter()

    def get(self, owner: str) -> str | None:
        """What was put for this user last."""
        digest, start = self._place(owner)
        for place in self._records(start):
            found, _, length = _HEADER.unpack_from(self._memory, place)
            if found == digest:
                begin = place + _HEADER.size
                return self._memory[begin : begin + length].decode("ascii", "replace")
        return None

    def put(self, owner: str, obtained_at: float, sealed: str) -> bool:
        """Keep this for the user, in place of what is older; False if it is too long."""
        data = sealed.encode("ascii")
        if len(data) > LONGEST_TOKENS:
            return False
        digest, start = self._place(owner)
        records = [(place, *_HEADER.unpack_from(self._memory, place)) for place in self._records(start)]
        # The user's own record first, then a free one, whose time is 0.
        place, *_ = min(records, key=lambda record: (record[1] != digest, record[2]))
        _HEADER.pack_into(self._memory, place, _FREE, 0.0, 0)  # others read nothing meanwhile
        self._memory[place + _HEADER.size : place + _HEADER.size + len(data)] = data
        _HEADER.pack_into(self._memory, place, digest, obtained_at, len(data))
        return True

    def drop(self, owner: str) -> None:
        """Forget this user."""
        digest, start = self._place(owner)
        for place in self._records(start):
            if self._memory[place : place + 16] == digest:
                self._memory[place : place + _RECORD_BYTES] = bytes(_RECORD_BYTES)

    def lock(self, owner: str) -> bool:
        """Whether this process may renew the user's tokens now, until `unlock`; the kernel unlocks for a killed one."""
        _, start = self._place(owner)
        if not self._shared.lock(start, 1):
            return False
        self._held[start] += 1
        return True

    def unlock(self, owner: str) -> None:
        """Let others renew."""
        _, start = self._place(owner)
        self._held[start] -= 1
        if not self._held[start]:
            del self._held[start]
            self._shared.unlock(start, 1)

    def _place(self, owner: str) -> tuple[bytes, int]:
        digest = hashlib.blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()
        return digest, int.from_bytes(digest[:4]) % _SETS * _SET_BYTES

    @staticmethod
    def _records(start: int) -> range:
        return range(start, start + _SET_BYTES, _RECORD_BYTES)


@cache
def tokens_of_this_run() -> SharedTokens:
    """What a server's processes share: the one from which they are forked has to ask for it first."""
    return SharedTokens()
