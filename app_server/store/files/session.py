"""One session's file, owned by this process: an open descriptor and the lock on it."""

from __future__ import annotations

import os
from contextlib import suppress

from app_server.store.errors import Lost
from app_server.store.files.opened import Draft, has_name, lock, open_locked, read_whole, unlink, write_all


class SessionFile:
    """A claim in a folder. The process that holds the lock on the file of the session's name owns the session.

    The lock belongs to the open file, so the kernel releases it when the process ends, however it does. Methods raise
    OSError as the system says it, and Lost if the file was released, deleted or replaced.
    """

    # The lock is enough: a process that was stopped still holds it.
    fence = 0

    def __init__(self, key: str, name: str, folder: int, number: int) -> None:
        self.key = key
        self._name = name
        self._folder = folder
        self._number: int | None = number
        self._size_bytes = os.fstat(number).st_size
        self._touched_at = 0.0

    @property
    def size_bytes(self) -> int:
        """The size of the journal."""
        return self._size_bytes

    def read(self, max_bytes: int) -> bytes:
        """All of the file; raises TooLarge before anything is read."""
        return read_whole(self._owned(), max_bytes)

    def append(self, data: bytes) -> None:
        """Add the bytes at the end, all of them or none."""
        number = self._owned()
        try:
            write_all(number, data)
        except OSError:
            # The disk is full, say. Half a record would hide all that follows it.
            with suppress(OSError):
                os.ftruncate(number, self._size_bytes)
            raise
        self._size_bytes += len(data)

    def replace(self, data: bytes) -> None:
        """Put these bytes in place of the file in one step. If that fails, the old file is as it was, and ours."""
        old = self._owned()
        with Draft(self._folder, self._name) as draft:
            # Before it has the session's name, so no other process can lock it first.
            lock(draft.number)
            write_all(draft.number, data)
            self._number = draft.take_name()
        self._size_bytes = len(data)
        os.close(old)

    @property
    def has_lost_its_folder(self) -> bool:
        """Whether the whole folder was deleted, and the session's file with it."""
        return self._number is not None and os.fstat(self._folder).st_nlink == 0

    @property
    def was_deleted(self) -> bool:
        """Whether the file was deleted behind our back, and the folder is still there."""
        number = self._number
        return number is not None and os.fstat(number).st_nlink == 0 and not self.has_lost_its_folder

    def move(self, folder: int) -> None:
        """Go on in this folder, in which the session has nothing yet. Raises Lost if another process owns it there."""
        try:
            number = open_locked(folder, self._name, create=True)
        except BlockingIOError:
            raise Lost("another process owns the session in the new folder", where=self._name) from None
        assert number is not None
        self.leave()
        self._folder, self._number, self._size_bytes = folder, number, os.fstat(number).st_size

    def is_older_than(self, age_s: float, now_s: float) -> bool:
        """Whether the file was written, and touched, longer ago than that."""
        return self._number is not None and os.fstat(self._number).st_mtime < now_s - age_s

    def touch(self, now_s: float, interval_s: float) -> None:
        """Make the file new, at most once in `interval_s`: it does not expire while it has an owner."""
        # The clock may have been set back.
        if not 0 <= now_s - self._touched_at < interval_s:
            os.utime(self._owned(), (now_s, now_s))
            self._touched_at = now_s

    def delete(self) -> None:
        """Delete the file and leave the session; does nothing if it is not ours any more."""
        with suppress(Lost):
            if has_name(self._owned(), self._folder, self._name):
                unlink(self._folder, self._name)
        self.leave()

    def leave(self) -> None:
        """Release the lock and the descriptor; allowed more than once."""
        number, self._number = self._number, None
        if number is not None:
            os.close(number)

    def _owned(self) -> int:
        # A file that was deleted behind our back still takes what we write, and no one would ever read it.
        if self._number is None or os.fstat(self._number).st_nlink == 0:
            raise Lost("the session's file was released, deleted or replaced", where=self._name)
        return self._number


def claim_file(folder: int, key: str, name: str, *, create: bool) -> SessionFile | None:
    """The session's file, owned; None if there is none. Raises BlockingIOError if it has an owner."""
    number = open_locked(folder, name, create=create)
    return None if number is None else SessionFile(key, name, folder, number)
