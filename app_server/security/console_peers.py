"""How the consoles of a deployment's instances know each other: requests signed with a key that all instances have.

    Authorization: AppServerConsole <seconds since the epoch> <nonce> <hex of HMAC-SHA256>

The signature covers path, time, nonce and body. A signature is good for half a minute, and once at each
instance; an order also names the run of the console that it is for.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256

SCHEME = "AppServerConsole"

_GOOD_FOR_S = 30
_MOST_NONCES = 10_000
_CREDENTIALS = re.compile(SCHEME + r" ([0-9]{1,12}) ([0-9a-f]{32}) ([0-9a-f]{64})")


def keys_of(secret_key: str | None) -> tuple[bytes, ...]:
    """The keys that follow from the secret key and from the one before it, the newest first; none without one."""
    lines = (secret_key or "").splitlines()
    return tuple(hmac.digest(line.encode("utf-8"), b"app-server console peers", "sha256") for line in lines if line)


def signature(key: bytes, path: str, body: bytes, now_s: int, nonce: str) -> str:
    """The Authorization header of a request with this body; `nonce` is 32 hexadecimal digits, new for each."""
    return f"{SCHEME} {now_s} {nonce} {_mac(key, path, body, now_s, nonce)}"


def _mac(key: bytes, path: str, body: bytes, now_s: int, nonce: str) -> str:
    text = f"{path}\n{now_s}\n{nonce}\n{sha256(body).hexdigest()}"
    return hmac.new(key, text.encode("utf-8"), "sha256").hexdigest()


class PeerSignatures:
    """Checks the signatures of requests, and lets each in once."""

    def __init__(self, keys: tuple[bytes, ...], clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._seen: dict[str, float] = {}

    def accepts(self, header: str, path: str, body: bytes) -> bool:
        """Whether this request comes from an instance of this deployment, now."""
        found = _CREDENTIALS.fullmatch(header)
        now_s = self._clock()
        if found is None or abs(now_s - int(found[1])) > _GOOD_FOR_S:
            return False
        signed_s, nonce, mac = int(found[1]), found[2], found[3]
        if not any(hmac.compare_digest(_mac(key, path, body, signed_s, nonce), mac) for key in self._keys):
            return False
        return self._is_new(nonce, now_s)

    def _is_new(self, nonce: str, now_s: float) -> bool:
        self._seen = {known: until_s for known, until_s in self._seen.items() if until_s > now_s}
        if nonce in self._seen or len(self._seen) >= _MOST_NONCES:
            return False
        self._seen[nonce] = now_s + 2 * _GOOD_FOR_S
        return True
