"""Sessions in Redis or Valkey, for processes on several hosts.

A session is owned through a lease of a few seconds, which its owner renews, and every change compares the owner: a
process that slept while another took its session over writes no more.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from app_server.errors import OperatorError
from app_server.store import redis_scripts as scripts
from app_server.store.base import Claim, Ending, Entry, Write, checked_key
from app_server.store.errors import Lost, Taken, TooLarge, Unavailable
from app_server.store.redis_address import Address, connect, redis_package
from app_server.store.redis_bookmarks import RedisBookmarks
from app_server.store.redis_endings import EndingsStream
from app_server.store.redis_scripts import Script

LEASE_S: Final = 4.0
"""How long a session stays owned after its owner's last sign of life; `renew` is called each second."""

_PREFIX: Final = "app-server:"


@dataclass(frozen=True, slots=True)
class RedisClaim:
    """A claim in Redis. The token is new with each claim, so an older owner of the same session is recognized."""

    key: str
    fence: int
    token: str = field(repr=False)


class RedisStore:
    """A `Store` in Redis; keys begin with `app-server:`. Everything in it expires `ttl_s` seconds after its last use.

    `max_bytes` limits each journal. `clock` gives seconds since the epoch, for bookmarks; Redis' own clock is used for
    all else.
    """

    def __init__(
        self,
        address: Address,
        *,
        ttl_s: float,
        max_bytes: int,
        where: str = "--store",
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address, self._where, self._clock = address, where, clock
        self._ttl_ms, self._lease_ms, self._max_bytes = _ms(ttl_s), _ms(lease_s), max_bytes
        self._redis = connect(address, where)
        self._claims: dict[str, RedisClaim] = {}
        self._bookmarks = RedisBookmarks(self._redis, _PREFIX, clock)
        self._endings = EndingsStream(f"{_PREFIX}endings", clock())

    @property
    def lease_s(self) -> float:
        """See `Store.lease_s`."""
        return self._lease_ms / 1000

    def check(self) -> None:
        """Raises OperatorError if Redis cannot be reached, or lets this user not do what is needed."""
        try:
            # Scripts ask for the time, bookmarks are written in transactions, and what is to end is a stream.
            with self._available(), self._redis.pipeline(transaction=True) as batch:
                batch.set(f"{_PREFIX}check", b"", px=1000)
                batch.eval("redis.call('TIME') return redis.call('GET', KEYS[1])", 1, f"{_PREFIX}check")
                batch.xrange(f"{_PREFIX}endings", count=1)
                batch.execute()
        except Unavailable as error:
            hint = "Check the address, and that Redis runs and may be used with this name and password."
            raise OperatorError(f"{error.where}: {error.what}", where=self._where, hint=hint) from None

    def claim(self, key: str, *, create: bool) -> RedisClaim | None:
        """See `Store.claim`."""
        mark = secrets.token_hex(8)
        fence = self._call(scripts.CLAIM, checked_key(key), mark, int(create))
        if fence < 0:
            raise Taken("another process owns this session", where=self._address.shown)
        if not fence:
            return None
        claim = RedisClaim(key, fence, f"{fence}:{mark}")
        self._claims[claim.token] = claim
        return claim

    def read(self, claim: Claim, max_bytes: int) -> bytes:
        """See `Store.read`."""
        answer = self._call(scripts.READ, claim.key, _token(claim), max_bytes)
        if answer[0] == b"lost":
            raise Lost("another process has taken the session over", where=self._address.shown)
        if answer[0] == b"large":
            raise TooLarge("what is saved", limit_bytes=max_bytes, size_bytes=answer[1])
        return b"".join(answer[1])

    def write(self, writes: Sequence[Write]) -> Sequence[Claim]:
        """See `Store.write`: one round trip for all."""
        calls = [(w.claim.key, _token(w.claim), w.data, int(w.replaces), self._max_bytes) for w in writes]
        answers = self._batch(scripts.WRITE, calls, [write.claim for write in writes])
        lost = self._lost([write.claim for write in writes], answers)
        failed = [(w.claim, answer) for w, answer in zip(writes, answers, strict=True) if answer not in scripts.DONE]
        if failed:
            what = self._reason(failed[0][1])
            claims = [claim for claim, _ in failed]
            raise Unavailable(what, where=self._address.shown, unwritten=claims, lost=lost)
        return lost

    def is_saved(self, key: str) -> bool:
        """See `Store.is_saved`. Redis itself deletes what has expired."""
        with self._available():
            return bool(self._redis.exists(_keys(checked_key(key))[2]))

    def head(self, key: str, size_bytes: int) -> bytes:
        """See `Store.head`."""
        return cast(bytes, self._call(scripts.HEAD, checked_key(key), "", size_bytes))

    def revoke(self, key: str) -> bool:
        """See `Store.revoke`."""
        return bool(self._call(scripts.REVOKE, checked_key(key), ""))

    def end(self, ending: Ending) -> None:
        """See `Store.end`."""
        with self._available():
            self._endings.add(self._redis, ending)

    def endings(self) -> Sequence[Ending]:
        """See `Store.endings`."""
        with self._available():
            return self._endings.read(self._redis)

    def renew(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """See `Store.renew`: one round trip for all."""
        answers = self._batch(scripts.RENEW, [(claim.key, _token(claim)) for claim in claims])
        lost = self._lost(claims, answers)
        if failed := [answer for answer in answers if isinstance(answer, Exception)]:
            raise Unavailable(self._reason(failed[0]), where=self._address.shown, lost=lost)
        return lost

    def release(self, claim: Claim) -> None:
        """See `Store.release`."""
        self._claims.pop(_token(claim), None)
        self._call(scripts.RELEASE, claim.key, _token(claim))

    def delete(self, claim: Claim) -> None:
        """See `Store.delete`."""
        self._call(scripts.DELETE, claim.key, _token(claim))
        self._claims.pop(_token(claim), None)

    def put(self, name: str, data: bytes, ttl_s: float) -> None:
        """See `Store.put`."""
        with self._available():
            self._bookmarks.put(name, data, ttl_s)

    def get(self, name: str, max_bytes: int) -> bytes | None:
        """See `Store.get`."""
        with self._available():
            return self._bookmarks.get(name, max_bytes)

    def drop(self, name: str) -> bool:
        """See `Store.drop`."""
        with self._available():
            return self._bookmarks.drop(name)

    def count_bookmarks(self) -> int:
        """See `Store.count_bookmarks`."""
        with self._available():
            return self._bookmarks.count()

    def entries(self) -> Iterator[Entry]:
        """See `Store.entries`."""
        for name in self._names(f"{_PREFIX}{{", "}:journal"):
            if found := self._call(scripts.LOOK, name, ""):
                size, saved_at, owned, end = found
                yield Entry(name, size, saved_at / 1000, bool(owned), False, None if owned else end / 1000)
        for name in self._names(self._bookmarks.prefix):
            with self._available():
                entry = self._bookmarks.entry(name)
            if entry is not None:
                yield entry

    def purge(self, older_than_s: float, now_s: float) -> int:
        """See `Store.purge`. Redis itself deletes what has expired, so looking for that would only take time."""
        if _ms(older_than_s) >= self._ttl_ms:
            return 0
        old = [e for e in self.entries() if not e.bookmark and not e.owned and e.saved_at_s < now_s - older_than_s]
        return sum(self._call(scripts.PURGE, entry.key, "") for entry in old)

    def close(self) -> None:
        """See `Store.close`. If Redis does not answer, leases end by themselves."""
        claims, self._claims = self._claims, {}
        with suppress(Unavailable):
            self._batch(scripts.RELEASE, [(claim.key, claim.token) for claim in claims.values()])
        self._redis.close()

    def _lost(self, claims: Sequence[Claim], answers: Sequence[object]) -> list[Claim]:
        lost = [claim for claim, answer in zip(claims, answers, strict=True) if answer == b"lost"]
        for claim in lost:
            self._claims.pop(_token(claim), None)
        return lost

    def _names(self, before: str, after: str = "") -> list[str]:
        with self._available():
            # SCAN may give a key twice.
            keys = set(self._redis.scan_iter(match=f"{before}*{after}", count=1000))
        texts = (key.decode("utf-8", "replace") for key in sorted(keys))
        return [text[len(before) : len(text) - len(after)] for text in texts]

    def _call(self, script: Script, key: str, token: str, *arguments: object) -> Any:
        answer = self._batch(script, [(key, token, *arguments)])[0]
        if isinstance(answer, Exception):
            raise scripts.kind_of(answer)(self._reason(answer), where=self._address.shown) from None
        return answer

    def _batch(self, script: Script, calls: Sequence[tuple[Any, ...]], unwritten: Sequence[Claim] = ()) -> list[Any]:
        """The answers to these calls of a script, in one round trip; an answer may be an error."""
        if not calls:
            return []
        with self._available(unwritten):
            answers = self._send(script, calls)
            # After a restart, or the first time: Redis has run none of these then.
            unknown = [at for at, answer in enumerate(answers) if scripts.is_unknown(answer)]
            if unknown:
                self._redis.script_load(script.text)
                for at, answer in zip(unknown, self._send(script, [calls[at] for at in unknown]), strict=True):
                    answers[at] = answer
        self._leave_replica(answers)
        return answers

    def _send(self, script: Script, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as batch:
            for key, token, *arguments in calls:
                batch.evalsha(script.digest, 3, *_keys(key), token, self._lease_ms, self._ttl_ms, *arguments)
            return cast("list[Any]", batch.execute(raise_on_error=False))

    def _leave_replica(self, answers: Sequence[object]) -> None:
        """Connect again after a failover: the address leads to the new primary then, this connection does not."""
        if any(type(answer).__name__ == "ReadOnlyError" for answer in answers):
            self._redis.connection_pool.disconnect()

    def _reason(self, answer: object) -> str:
        if isinstance(answer, Exception):
            return self._address.without_secrets(str(answer))
        return scripts.REASONS.get(answer, f"Redis answers {answer!r}")

    @contextmanager
    def _available(self, unwritten: Sequence[Claim] = ()) -> Iterator[None]:
        """Turn what the client raises into Unavailable, with an address that has no password."""
        exceptions = redis_package(self._where).exceptions
        try:
            yield
        except exceptions.RedisError as error:
            self._leave_replica([error])
            what = self._address.without_secrets(str(error)) or type(error).__name__
            raise scripts.kind_of(error)(what, where=self._address.shown, unwritten=unwritten) from None


def open_redis(text: str, *, ttl_s: float, max_bytes: int, where: str = "--store") -> RedisStore:
    """The store at this address; nothing is sent yet. Raises OperatorError for a bad one, or a missing package."""
    return RedisStore(Address.read(text, where), ttl_s=ttl_s, max_bytes=max_bytes, where=where)


def _token(claim: Claim) -> str:
    # A store is given only the claims that it made.
    return cast(RedisClaim, claim).token


def _keys(key: str) -> tuple[str, str, str]:
    # One hash slot for the three keys of a session, as clusters want it.
    begin = f"{_PREFIX}{{{key}}}:"
    return f"{begin}owner", f"{begin}about", f"{begin}journal"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
