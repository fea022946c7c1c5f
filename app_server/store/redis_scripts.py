"""What Redis itself does in one step: every change compares the owner first.

A session has three keys: `owner`, the lease, is the claim's token and expires by itself; `about` is a hash with the
last fence, the last owner ("" after a release), the time of the last write (ms since the epoch) and the size;
`journal` is a list of the pieces that were written. Scripts get these keys in this order, then the claim's token, the
lease and the TTL in milliseconds.

A lease that has expired is taken again if no other process has had the session since: a pause, or a Redis that came
back empty, costs nothing then. RPUSH comes before other changes: when Redis has no memory left, it refuses that
first, and nothing has changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app_server.store.errors import Busy, TooSlow, Unavailable


@dataclass(frozen=True)
class Script:
    """A script of Redis, sent by its digest."""

    text: str

    @cached_property
    def digest(self) -> str:
        """The SHA-1 that Redis knows it by."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_OWNED: Final = """
local owner, about, journal = KEYS[1], KEYS[2], KEYS[3]
local token, lease_ms, ttl_ms = ARGV[1], ARGV[2], ARGV[3]
local function is_ours()
  local now = redis.call('GET', owner)
  if now then return now == token end
  local last = redis.call('HGET', about, 'owner')
  return not last or last == token
end
local function keep()
  redis.call('SET', owner, token, 'PX', lease_ms)
  redis.call('HSET', about, 'owner', token, 'fence', string.match(token, '^%d+'))
  redis.call('PEXPIRE', about, ttl_ms)
  redis.call('PEXPIRE', journal, ttl_ms)
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

CLAIM: Final = Script(
    _OWNED
    + """
if redis.call('EXISTS', owner) == 1 then return -1 end
if ARGV[4] == '0' and redis.call('EXISTS', journal) == 0 then return 0 end
-- Not 1 after `about` was evicted: fences never repeat.
local fence = math.max(tonumber(redis.call('HGET', about, 'fence') or 0) + 1, now_ms())
token = string.format('%.0f:%s', fence, token)
keep()
return fence
"""
)
"""Here the token is random digits; the claim's token is the fence, a colon and these. -1: owned; 0: nothing saved."""

READ: Final = Script(
    _OWNED
    + """
if not is_ours() then return {'lost'} end
local pieces, size = redis.call('LRANGE', journal, 0, -1), 0
for _, piece in ipairs(pieces) do size = size + #piece end
if size > tonumber(ARGV[4]) then return {'large', size} end
return {'read', pieces}
"""
)
"""ARGV[4] is the most bytes that the caller takes."""

WRITE: Final = Script(
    _OWNED
    + """
local data, replaces, max_bytes = ARGV[4], ARGV[5] == '1', tonumber(ARGV[6])
if not is_ours() then return 'lost' end
local size = replaces and 0 or tonumber(redis.call('HGET', about, 'size') or 0)
if size + #data > max_bytes then return 'large' end
if replaces then
  redis.call('RPUSH', journal, data)
  redis.call('LTRIM', journal, -1, -1)
elseif redis.call('RPUSHX', journal, data) == 0 then
  return 'gone'
end
redis.call('HSET', about, 'size', size + #data, 'saved_at', string.format('%.0f', now_ms()))
keep()
return 'written'
"""
)
"""ARGV: the bytes, 1 if they replace the journal, the most bytes that it may have. `gone`: Redis has evicted or lost
the journal."""

DONE: Final = (b"written", b"lost")
"""What WRITE answers if nothing has failed."""

REASONS: Final[dict[object, str]] = {
    b"gone": "Redis no longer has the journal: it was evicted or lost",
    b"large": "a session would have more bytes than --store-max-bytes allows",
}
"""Why WRITE has written nothing, in words."""

RENEW: Final = Script(
    _OWNED
    + """
if not is_ours() then return 'lost' end
keep()
return 'kept'
"""
)

RELEASE: Final = Script(
    _OWNED
    + """
if is_ours() then
  redis.call('DEL', owner)
  redis.call('HSET', about, 'owner', '')
  redis.call('PEXPIRE', about, ttl_ms)
  redis.call('PEXPIRE', journal, ttl_ms)
end
"""
)

DELETE: Final = Script(
    _OWNED
    + """
if is_ours() then
  redis.call('DEL', owner, journal)
  redis.call('HSET', about, 'owner', '')
  redis.call('HDEL', about, 'size', 'saved_at')
  redis.call('PEXPIRE', about, ttl_ms)
end
"""
)
"""`about` stays: it keeps an older owner, or a late write of this one, from making the session again."""

LOOK: Final = Script(
    _OWNED
    + """
local left_ms = redis.call('PTTL', journal)
if left_ms == -2 then return false end
local saved_at = redis.call('HGET', about, 'saved_at') or string.format('%.0f', now_ms() + left_ms - ttl_ms)
local size = redis.call('HGET', about, 'size')
if not size then
  size = 0
  for _, piece in ipairs(redis.call('LRANGE', journal, 0, -1)) do size = size + #piece end
end
return {tonumber(size), tonumber(saved_at), redis.call('EXISTS', owner), now_ms() + left_ms}
"""
)
"""Size, times of the last write and of the end (ms since the epoch), and whether it has an owner; nil if it is gone."""

PURGE: Final = Script(
    _OWNED
    + """
if redis.call('EXISTS', owner) == 1 or redis.call('DEL', journal) == 0 then return 0 end
redis.call('HSET', about, 'owner', '')
redis.call('HDEL', about, 'size', 'saved_at')
redis.call('PEXPIRE', about, ttl_ms)
return 1
"""
)

HEAD: Final = Script(
    _OWNED
    + """
local left, pieces = tonumber(ARGV[4]), {}
while left > 0 do
  local piece = redis.call('LINDEX', journal, #pieces)
  if not piece then break end
  table.insert(pieces, string.sub(piece, 1, left))
  left = left - #piece
end
return table.concat(pieces)
"""
)
"""ARGV[4] is the number of bytes."""

REVOKE: Final = Script(
    _OWNED
    + """
local deleted = redis.call('DEL', owner, journal)
if deleted == 0 then return 0 end
redis.call('HSET', about, 'owner', '')
redis.call('HDEL', about, 'size', 'saved_at')
redis.call('PEXPIRE', about, ttl_ms)
return 1
"""
)
"""`about` stays, as in DELETE: the owner finds there that it is the owner no more."""


def is_unknown(answer: object) -> bool:
    """Whether Redis has answered that it does not know the script: it was restarted, say."""
    return isinstance(answer, Exception) and type(answer).__name__ == "NoScriptError"


def kind_of(error: Exception) -> type[Unavailable]:
    """What this error of Redis' client means for those who ask the store."""
    name = type(error).__name__
    return TooSlow if name == "TimeoutError" else Busy if name in _PASSING else Unavailable


_PASSING: Final = ("BusyLoadingError", "ReadOnlyError", "TryAgainError", "MasterDownError", "ClusterDownError")
"""What Redis says while it starts, or hands over to another one."""
