"""What every store can do, and the values that go in and come out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app_server.errors import InternalError

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{8,128}")


def session_key(application_url: str, session_id: str) -> str:
    """The name under which a session is saved: 64 hexadecimal digits, whatever the client put into its id."""
    text = f"{application_url}\0{session_id}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def checked_key(key: str) -> str:
    """The key itself; raises InternalError if `session_key` did not make it, because it becomes a file's name."""
    if _KEY.fullmatch(key) is None:
        raise InternalError("a session's key is not 64 hexadecimal digits")
    return key


def is_bookmark_name(name: str) -> bool:
    """Whether this may name a bookmark: 8 to 128 letters, digits, `-` and `_`. Names come from links, so check them."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """The bookmark's name itself; raises InternalError if it must not be written."""
    if not is_bookmark_name(name):
        raise InternalError("a bookmark's name is not 8 to 128 letters, digits, '-' and '_'")
    return name


class Claim(Protocol):
    """A session that this process owns in the store. Its content is the store's."""

    @property
    def key(self) -> str:
        """What `session_key` gave."""

    @property
    def fence(self) -> int:
        """Grows each time another process takes the session over; 0 if the store needs no such number."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for a session's journal: appended, or in place of all that it held if it `replaces` them."""

    claim: Claim
    data: bytes
    replaces: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is saved, as `app-server sessions list` shows it.

    `key` is the session's key or the bookmark's name. Times are seconds since the epoch: `saved_at_s` of the last
    write, `expires_s` when it may be deleted; None while a process owns it.
    """

    key: str
    size_bytes: int
    saved_at_s: float
    owned: bool
    bookmark: bool
    expires_s: float | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Sessions that are to end, whichever process has them, if they began before `at_s` (seconds since the epoch).

    `name` is the key of one session, or stands for a user: 64 hexadecimal digits.
    """

    name: str
    at_s: float


ENDINGS_SINCE_S: Final = 3600.0
"""How long a process remembers what is to end: a session that is being built now was asked for later."""


class Store(Protocol):
    """Where sessions are saved. Every method blocks; one thread of a process calls them all.

    Each of them may raise Unavailable; the next call tries again.
    """

    @property
    def lease_s(self) -> float:
        """How long a session stays owned after the last sign of life of its owner's host."""

    def check(self) -> None:
        """Raise OperatorError, with what to do, if sessions cannot be saved here. Called once, at the start."""

    def claim(self, key: str, *, create: bool) -> Claim | None:
        """Own the session until `release`, `delete` or this process's end.

        None if nothing is saved under this key, or it has expired; with `create` it is owned all the same, and empty.
        Raises Taken if another process owns it.
        """

    def read(self, claim: Claim, max_bytes: int) -> bytes:
        """The journal, b"" if nothing was written yet. Raises TooLarge before anything is read, or Lost."""

    def write(self, writes: Sequence[Write]) -> Sequence[Claim]:
        """Write a batch; the claims that are lost, which must not be used any more.

        Bytes that are appended go after all that is there, or nowhere. What replaces a journal does so in one step: a
        reader finds the old one or the new one. Raises Unavailable, which says whose bytes are missing; all others
        were written.
        """

    def is_saved(self, key: str) -> bool:
        """Whether something is saved under this key that has not expired, owned or not. Changes nothing."""

    def head(self, key: str, size_bytes: int) -> bytes:
        """The first bytes of a journal, owned or not; b"" if there is none. Changes nothing."""

    def revoke(self, key: str) -> bool:
        """Delete what is saved under this key, even if it is owned; whether there was something.

        A process that owns it finds its claim lost when it renews it, or writes.
        """

    def end(self, ending: Ending) -> None:
        """Ask all processes to end these sessions; they find it with `endings`."""

    def endings(self) -> Sequence[Ending]:
        """What processes were asked to end since the last call; at the first one, all of `ENDINGS_SINCE_S` at least.

        It may repeat.
        """

    def renew(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Go on owning these sessions; call it every second with all of them. The claims that are lost."""

    def release(self, claim: Claim) -> None:
        """Leave the saved session to the next process that wants it. Does nothing if it is lost or released already."""

    def delete(self, claim: Claim) -> None:
        """Forget the session and what was saved of it. Does nothing if it is lost or released already."""

    def put(self, name: str, data: bytes, ttl_s: float) -> None:
        """Keep a bookmark under this random name for `ttl_s` seconds."""

    def get(self, name: str, max_bytes: int) -> bytes | None:
        """A bookmark; None if there is none of this name, or it has expired. Raises TooLarge before it is read."""

    def drop(self, name: str) -> bool:
        """Delete a bookmark; whether there was one."""

    def count_bookmarks(self) -> int:
        """How many bookmarks there are; some of them may have expired."""

    def entries(self) -> Iterator[Entry]:
        """Everything that is saved, in no order."""

    def purge(self, older_than_s: float, now_s: float) -> int:
        """Delete sessions without an owner that were last written more than `older_than_s` before `now_s`, and expired
        bookmarks; how many were deleted. `now_s` is in seconds since the epoch.
        """

    def close(self) -> None:
        """Release all claims and connections."""
