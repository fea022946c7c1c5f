"""Links to a session as it was: each opens a copy of it, until it expires or is revoked."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from app_server.apps.hooks import SavedHook, is_async
from app_server.document.saving.recording import Recording
from app_server.document.saving.whole import encode_for_store
from app_server.engine.saving.plain import NotPlain, plain_json
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.woken import Woken, read_opening
from app_server.errors import ApplicationError, PeerError
from app_server.session.context import SessionContext
from app_server.session.naming import LogName
from app_server.store.base import is_bookmark_name
from app_server.store.errors import StoreError, Unavailable
from app_server.store.journal import JournalWriter, read_journal
from app_server.store.records import Kind, Record

log = logging.getLogger(__name__)

_NAME_BYTES: Final = 18
_ON_ITS_WAY_S: Final = 3.0
"""How long after it was made another process waits for a bookmark: its link is shown before the store has it."""

_AGAIN_S: Final = 0.05
_SIGNATURE_BYTES: Final = 12
_LONGEST_S: Final = 10 * 365 * 86400
MOST_OF_A_SESSION: Final = 100
"""How many living links a session may have: a callback that makes one each second must not use up those of all."""

_GONE: Final = "this link has expired, or was revoked"


class Bookmarks:
    """Makes, opens and revokes bookmarks of one server's sessions."""

    def __init__(self, thread: StoreThread, policy: SavingPolicy) -> None:
        self._thread = thread
        self._policy = policy
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._number: int | None = None
        """How many the store has, when that was counted last; and how many were made here since."""
        self._counting = False

    @property
    def own_bytes(self) -> int:
        """How much of an application's state a bookmark holds."""
        return self._policy.own_bytes

    def save(self, session: LogName, opened: Mapping[str, Any], whole: Record, ttl_s: float) -> str:
        """Save a whole session under a new name; what names it in a link. From any thread.

        ApplicationError if it is too large, or one too many.
        """
        self._check_number(session)
        name = _new_name()
        writer = JournalWriter(self._policy.keys)
        data = b"".join((writer.begin(), writer.write(Record(Kind.OPEN, opened)), writer.write(whole)))
        if len(data) > 2 * self._policy.max_bytes:
            raise ApplicationError(
                f"the session takes {len(data)} bytes, more than --store-max-bytes allows for a bookmark",
                where=str(session),
                hint="Raise --store-max-bytes, or leave large models out with session_context.exclude_from_store",
            )
        self._begin(session, len(data))
        if self._number is not None:
            self._number += 1
        self._thread.submit(self._put, session, name, data, ttl_s)
        return f"{name}.{self._signatures(name)[0]}"

    def count_once(self) -> None:
        """Find out how many bookmarks the store has, unless that is known."""
        if self._number is None:
            self._count()

    def _count(self) -> None:
        with self._lock:
            counting, self._counting = self._counting, True
        if not counting:
            self._thread.submit(self._counted)

    def _counted(self) -> None:
        try:
            self._number = self._thread.store.count_bookmarks()
        except StoreError as error:
            log.debug("The bookmarks cannot be counted: %s", error)
        finally:
            self._counting = False

    def _check_number(self, session: LogName) -> None:
        most = self._policy.max_bookmarks
        if self._number is not None and self._number >= most:
            self._count()  # others may have expired, or were revoked: for the next one
            raise ApplicationError(
                f"the store has as many bookmarks as --store-max-bookmarks allows: {most}",
                where=str(session),
                hint="Let bookmarks last shorter (ttl), revoke those that are not needed any more, or raise the limit.",
            )

    def _begin(self, session: LogName, size_bytes: int) -> None:
        """Count what waits for the store. ApplicationError if it is too much."""
        with self._lock:
            if self._waiting_bytes and self._waiting_bytes + size_bytes > 2 * self._policy.max_bytes:
                hint = "Try again in a moment."
                raise ApplicationError("the store is too slow for another bookmark", where=str(session), hint=hint)
            self._waiting_bytes += size_bytes

    def _put(self, session: LogName, name: str, data: bytes, ttl_s: float) -> None:
        try:
            number = self._thread.store.count_bookmarks()
            if number >= self._policy.max_bookmarks:  # other processes have made them since they were counted here
                self._number = number
                raise Unavailable(f"the store has {number} bookmarks, as many as --store-max-bookmarks allows")
            self._thread.store.put(name, data, ttl_s)
            number += 1
        except StoreError as error:
            log.error("%s: a bookmark could not be saved, and its link leads nowhere: %s", session, error)
        else:
            self._number = number
        finally:
            with self._lock:
                self._waiting_bytes -= len(data)

    async def open(self, link: str, url: str) -> Woken:
        """The session that the link names, for a copy of it.

        PeerError if the link is not ours, or no longer there. Unavailable if the store is away.
        """
        name = self._name(link)
        try:
            data = await self._data(name)
            saved = None if data is None else await self._thread.call(read_journal, data, self._policy.keys)
            if saved is None or saved.fields.get("expires_s", 0) < time.time():
                raise PeerError(_GONE)
            opening = read_opening(saved.opened, url, saved.opened["session"])
            return Woken(None, saved, opening)
        except Unavailable:
            raise
        except (StoreError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise PeerError(f"this link cannot be read: {error}") from error

    async def _data(self, name: str) -> bytes | None:
        """What the store has under this name; if the process that made it is still writing, that is waited for."""
        while True:
            data = await self._thread.call(self._thread.store.get, name, 3 * self._policy.max_bytes)
            if data is not None or not 0 <= time.time() - _made_at_s(name) < _ON_ITS_WAY_S:
                return data
            await asyncio.sleep(_AGAIN_S)

    def revoke(self, link: str) -> None:
        """Let the link lead nowhere. From any thread. PeerError if it is not ours."""
        name = self._name(link)
        self._thread.submit(self._drop, name)

    def _drop(self, name: str) -> None:
        try:
            self._thread.store.drop(name)
            self._counted()
        except StoreError as error:
            log.error("A bookmark could not be revoked: %s", error)

    def _name(self, link: str) -> str:
        name, _, signature = link.rpartition(".")
        given = signature.encode("utf-8", "replace")
        if is_bookmark_name(name) and any(hmac.compare_digest(ours.encode(), given) for ours in self._signatures(name)):
            return name
        raise PeerError("this link is incomplete, or not one of this server")

    def _signatures(self, name: str) -> list[str]:
        """The signature under each of the server's secrets; the first one is that of new links."""
        message = b"app-server bookmark " + name.encode()
        return [
            hmac.digest(secret, message, "sha256")[:_SIGNATURE_BYTES].hex() for secret in self._policy.keys.accepted
        ]


def _new_name() -> str:
    """A name that cannot be guessed, with the second in which it was made."""
    # With a dash in front it would be a flag of a command.
    return f"v{int(time.time()):x}-{secrets.token_urlsafe(_NAME_BYTES)}"


def _made_at_s(name: str) -> float:
    """When the bookmark was made, in whole seconds since the epoch; 0 if its name does not say so."""
    digits, dash, _ = name[1:].partition("-")
    try:
        return int(digits, 16) if dash else 0
    except ValueError:
        return 0


def _check_ttl(ttl_s: object, session: LogName) -> None:
    """ApplicationError unless a link can last so long: what is not a number would be kept forever, or not at all."""
    if not (isinstance(ttl_s, int | float) and 0 < ttl_s <= _LONGEST_S):
        raise ApplicationError(
            f"a bookmark cannot last {ttl_s!r:.60} seconds",
            where=str(session),
            hint=f"Call session_context.bookmark(ttl=...) with a number of seconds, of at most {_LONGEST_S}.",
        )


class SessionBookmarks:
    """The bookmarks of one session: what `session_context.bookmark` makes.

    `hook` is the application's on_session_saved, whose value is kept unless it has to be awaited.
    """

    def __init__(self, bookmarks: Bookmarks, opened: Mapping[str, Any], recording: Recording, hook: SavedHook) -> None:
        self._bookmarks = bookmarks
        self._opened = opened
        self._recording = recording
        self._hook = hook
        self._made: dict[str, float] = {}
        """When the links expire that were made since the session was built or restored, in seconds since the epoch."""

    def make(self, context: SessionContext, ttl_s: float, *, anyone: bool) -> str:
        """What names the session as it is now in a link."""
        session = context.session
        _check_ttl(ttl_s, session.name)
        self._check_number(session.name)
        document = session.document
        with document.changing:
            part = encode_for_store(document, context.excluded)
            changed = self._recording.all_changed()
        state = self._plain("session_context.state", context.state, session.name)
        kept = None if is_async(self._hook) else self._hook(context)
        now_s = time.time()
        fields = {
            "saved_at_s": now_s,
            "expires_s": now_s + ttl_s,
            "anyone": anyone,
            "state": state,
            "hook": self._plain("what on_session_saved returns", kept, session.name),
            "changed": [[change.model, change.attr, int(change.by_client)] for change in changed],
        }
        link = self._bookmarks.save(session.name, self._opened, Record(Kind.WHOLE, fields, *part), ttl_s)
        self._made[link] = now_s + ttl_s
        return link

    def _check_number(self, session: LogName) -> None:
        """ApplicationError if there are too many links to this session."""
        now_s = time.time()
        self._made = {link: expires_s for link, expires_s in self._made.items() if expires_s > now_s}
        if len(self._made) >= MOST_OF_A_SESSION:
            raise ApplicationError(
                f"the session has {MOST_OF_A_SESSION} bookmarks already, the most that one session may have",
                where=str(session),
                hint="Let them last shorter (ttl), or call session_context.revoke_bookmark with an older one.",
            )

    def _plain(self, what: str, value: Any, session: LogName) -> Any:
        try:
            return json.loads(plain_json(value, self._bookmarks.own_bytes))
        except NotPlain as error:
            raise ApplicationError(
                f"{what} cannot be kept in a bookmark: {error}",
                where=str(session),
                hint="Keep texts, numbers, booleans, None, and lists and dictionaries of these in it.",
            ) from None

    def revoke(self, link: str) -> None:
        """Let the link lead nowhere."""
        self._bookmarks.revoke(link)
        self._made.pop(link, None)
