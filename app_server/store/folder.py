"""Sessions in a folder: a file for each, owned through a lock of the kernel.

Each owned session costs one open descriptor. Files are private (0600) and so is the folder (0700). Linux' `flock` is
enough for processes of one machine, or of several that share the folder through NFS 4.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, cast

from app_server.errors import OperatorError
from app_server.store.base import Claim, Ending, Entry, Write, checked_key, checked_name, is_bookmark_name
from app_server.store.errors import Lost, Taken, Unavailable
from app_server.store.files.available import available
from app_server.store.files.bookmark import count_bookmarks, drop_bookmark, read_bookmark, write_bookmark
from app_server.store.files.contents import delete_old_drafts, entry_of
from app_server.store.files.endings import EndingsReader, note_ending
from app_server.store.files.opened import (
    Draft,
    OnlyLookedAt,
    lock,
    names_in,
    read_head,
    retried,
    stat_of,
    unlink,
    write_all,
)
from app_server.store.files.private import open_private_folder
from app_server.store.files.session import SessionFile, claim_file

_TRY_FOR_S: Final = 0.25
"""How long to wait for processes that do not own a session, but have its lock for an instant, to look or to purge."""


class FolderStore:
    """A `Store` in a folder. A session expires `ttl_s` seconds after its last write or owner.

    `max_bytes` limits each journal. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        path: str,
        *,
        ttl_s: float,
        max_bytes: int,
        where: str = "--store",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._where, self._clock = path, where, clock
        self._ttl_s, self._max_bytes = ttl_s, max_bytes
        self._folder: int | None = None
        self._claims: weakref.WeakSet[SessionFile] = weakref.WeakSet()
        self._endings = EndingsReader()
        _close_in_children(self)

    @property
    def lease_s(self) -> float:
        """None at all: the kernel releases the lock of a process that ends, and the folder is its host's."""
        return 0.0

    def check(self) -> None:
        """Make the folder if it is missing; raises OperatorError if it cannot be used, or is not safe to use."""
        folder = self._opened()
        try:
            with Draft(folder, "check") as draft:
                lock(draft.number)
                write_all(draft.number, b"app-server")
        except OSError as error:
            raise OperatorError(
                f"sessions cannot be saved in {self._path}: {error.strerror}",
                where=self._where,
                hint="Name a folder that this user can write, on a disk that has room.",
            ) from None

    def claim(self, key: str, *, create: bool) -> SessionFile | None:
        """See `Store.claim`."""
        with available(self._path):
            claim = self._locked(key, create=create)
            if claim is not None and self._is_over(claim, create=create):
                claim.delete()
                claim = self._locked(key, create=True) if create else None
        if claim is not None:
            self._claims.add(claim)
        return claim

    def read(self, claim: Claim, max_bytes: int) -> bytes:
        """See `Store.read`."""
        with available(self._path):
            return _file(claim).read(max_bytes)

    def write(self, writes: Sequence[Write]) -> Sequence[Claim]:
        """See `Store.write`. A full disk stops one write, not those after it: they may be smaller."""
        lost: list[Claim] = []
        unwritten: list[Claim] = []
        reason: Unavailable | None = None
        for write in writes:
            try:
                with available(self._path):
                    self._write(write)
            except Lost:
                lost.append(write.claim)
            except Unavailable as error:
                unwritten.append(write.claim)
                reason = error
        if reason is not None:
            raise Unavailable(reason.what, where=reason.where, hint=reason.hint, unwritten=unwritten, lost=lost)
        return lost

    def is_saved(self, key: str) -> bool:
        """See `Store.is_saved`."""
        with available(self._path):
            found = stat_of(self._opened(), _name(key))
        return found is not None and found.st_size > 0 and found.st_mtime >= self._clock() - self._ttl_s

    def head(self, key: str, size_bytes: int) -> bytes:
        """See `Store.head`."""
        with available(self._path):
            return read_head(self._opened(), _name(key), size_bytes)

    def revoke(self, key: str) -> bool:
        """See `Store.revoke`: who owns a file that has no name any more has lost it."""
        with available(self._path):
            return unlink(self._opened(), _name(key))

    def end(self, ending: Ending) -> None:
        """See `Store.end`."""
        checked_key(ending.name)
        with available(self._path):
            note_ending(self._opened(), ending)

    def endings(self) -> Sequence[Ending]:
        """See `Store.endings`."""
        with available(self._path):
            return self._endings.read(self._opened())

    def renew(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """See `Store.renew`: only deleted ones are lost. Files of quiet sessions are touched, or they would expire."""
        now, lost = self._clock(), list[Claim]()
        for claim in claims:
            with suppress(Lost, OSError):
                if _file(claim).was_deleted:
                    lost.append(claim)
                else:
                    _file(claim).touch(now, self._ttl_s / 8)
        return lost

    def release(self, claim: Claim) -> None:
        """See `Store.release`."""
        file = _file(claim)
        with suppress(Lost, OSError):
            file.touch(self._clock(), 0)
        if file.size_bytes:
            file.leave()
        else:
            self.delete(claim)

    def delete(self, claim: Claim) -> None:
        """See `Store.delete`."""
        with available(self._path):
            _file(claim).delete()

    def put(self, name: str, data: bytes, ttl_s: float) -> None:
        """See `Store.put`."""
        with available(self._path):
            write_bookmark(self._opened(), checked_name(name), data, self._clock() + ttl_s)

    def get(self, name: str, max_bytes: int) -> bytes | None:
        """See `Store.get`."""
        if not is_bookmark_name(name):
            return None
        with available(self._path):
            return read_bookmark(self._opened(), name, max_bytes, self._clock())

    def drop(self, name: str) -> bool:
        """See `Store.drop`."""
        with available(self._path):
            return is_bookmark_name(name) and drop_bookmark(self._opened(), name)

    def count_bookmarks(self) -> int:
        """See `Store.count_bookmarks`."""
        with available(self._path):
            return count_bookmarks(self._opened())

    def entries(self) -> Iterator[Entry]:
        """See `Store.entries`."""
        with available(self._path):
            names = names_in(self._opened())
        for name in names:
            with available(self._path):
                entry = entry_of(self._opened(), name, self._ttl_s)
            if entry is not None:
                yield entry

    def purge(self, older_than_s: float, now_s: float) -> int:
        """See `Store.purge`. What killed processes left half written goes too, uncounted."""
        with available(self._path):
            delete_old_drafts(self._opened(), now_s)
        deleted = 0
        for entry in self.entries():
            if entry.bookmark:
                expired = entry.expires_s is not None and entry.expires_s <= now_s
                deleted += expired and self.drop(entry.key)
            elif not entry.owned:
                deleted += self._purge_session(entry.key, older_than_s, now_s)
        return deleted

    def close(self) -> None:
        """See `Store.close`."""
        for claim in list(self._claims):
            self.release(claim)
        folder, self._folder = self._folder, None
        if folder is not None:
            os.close(folder)

    def forget_claims(self) -> None:
        """Close the descriptors of all claims, in a process that was forked from the one that owns them."""
        for claim in list(self._claims):
            claim.leave()

    def _opened(self) -> int:
        """The folder's descriptor; the folder is made again if it was deleted."""
        # Claims use the old descriptor, so it stays open.
        if self._folder is None or os.fstat(self._folder).st_nlink == 0:
            self._folder = open_private_folder(self._path, self._where)
        return self._folder

    def _locked(self, key: str, *, create: bool) -> SessionFile | None:
        """The session's file, owned. An owner is waited for only if nothing may be saved yet: it would be purging."""
        name = _name(key)
        try:
            return retried(
                lambda: claim_file(self._opened(), key, name, create=create),
                _TRY_FOR_S,
                lambda error: create or isinstance(error, OnlyLookedAt),
            )
        except BlockingIOError:
            raise Taken("another process owns this session", where=self._path) from None

    def _is_over(self, claim: SessionFile, *, create: bool) -> bool:
        # An empty file is what a process leaves that was killed before it wrote.
        return claim.is_older_than(self._ttl_s, self._clock()) or (claim.size_bytes == 0 and not create)

    def _write(self, write: Write) -> None:
        claim = _file(write.claim)
        if (0 if write.replaces else claim.size_bytes) + len(write.data) > self._max_bytes:
            raise Unavailable(f"a session would have more than {self._max_bytes} bytes", where=self._path)
        if claim.has_lost_its_folder:
            if not write.replaces:
                raise Unavailable("the folder was deleted", where=self._path)
            claim.move(self._opened())
        if write.replaces:
            claim.replace(write.data)
        else:
            claim.append(write.data)

    def _purge_session(self, key: str, older_than_s: float, now_s: float) -> bool:
        with available(self._path):
            try:
                claim = self._locked(key, create=False)
            except Taken:
                return False
            if claim is None:
                return False
            old = claim.is_older_than(older_than_s, now_s)
            if old:
                claim.delete()
            claim.leave()
            return old


def _name(key: str) -> str:
    return f"{checked_key(key)}.session"


def _file(claim: Claim) -> SessionFile:
    # A store is given only the claims that it made.
    return cast(SessionFile, claim)


def _close_in_children(store: FolderStore) -> None:
    """Let no forked process inherit the locks: they would outlive the owner that was killed."""
    alive = weakref.ref(store)

    def forget() -> None:
        if (left := alive()) is not None:
            left.forget_claims()

    os.register_at_fork(after_in_child=forget)
