"""Which sessions are to end: a stream in Redis, whose entries Redis numbers by its own clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app_server.store.base import ENDINGS_SINCE_S, Ending, checked_key

_KEPT: Final = 4096
_KEPT_S: Final = 86400


class EndingsStream:
    """The stream of this name, and how far this process has read it. Methods raise what the client raises."""

    def __init__(self, name: str, now_s: float) -> None:
        self._name = name
        self._next = f"{max(0, round((now_s - ENDINGS_SINCE_S) * 1000))}-0"

    def add(self, redis: Any, ending: Ending) -> None:
        """Add this to the stream."""
        fields = {"name": checked_key(ending.name), "at": repr(ending.at_s)}
        with redis.pipeline(transaction=True) as batch:
            batch.xadd(self._name, fields, maxlen=_KEPT, approximate=True)
            batch.expire(self._name, _KEPT_S)
            batch.execute()

    def read(self, redis: Any) -> Sequence[Ending]:
        """What was added since the last call."""
        found = redis.xrange(self._name, min=self._next)
        if found:
            time_ms, _, number = found[-1][0].decode().partition("-")
            self._next = f"{time_ms}-{int(number) + 1}"
        return [Ending(fields[b"name"].decode(), float(fields[b"at"])) for _, fields in found]
