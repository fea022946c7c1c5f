"""Files of a folder by its descriptor: locked, written before they have their name, read within a limit.

All names are relative to the folder. Functions raise OSError as the system says it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from app_server.store.errors import TooLarge

T = TypeVar("T")

DRAFT_SUFFIX: Final = ".draft"
# A link or a pipe in place of a file is an error, not something to follow or to wait for.
_SAFELY: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_BETWEEN_TRIES_S: Final = 0.005


class OnlyLookedAt(BlockingIOError):
    """The file has no owner, but another process looks at its lock at this instant."""


class Draft:
    """A new, private file without a name yet; the end of the `with` deletes it unless it has taken one."""

    def __init__(self, folder: int, name: str) -> None:
        self._folder, self._name = folder, name
        self._draft = f".{name}.{secrets.token_hex(4)}{DRAFT_SUFFIX}"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | _SAFELY
        self.number = os.open(self._draft, flags, 0o600, dir_fd=folder)
        self._named = False

    def take_name(self) -> int:
        """Give the file its name, in place of any other; the open descriptor is the caller's from now on."""
        os.rename(self._draft, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._named = True
        return self.number

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._named:
            os.close(self.number)
            with suppress(OSError):
                os.unlink(self._draft, dir_fd=self._folder)


def write_all(number: int, data: bytes) -> None:
    """Write all the bytes; if that raises, some of them may have been written.

    Not synced: what the kernel has outlives the process, and after a power failure a journal reads as far as it
    reached the disk.
    """
    # One call, unless the disk is full or there are more than 2 GiB.
    written = os.write(number, data)
    while written < len(data):
        written += os.write(number, memoryview(data)[written:])


def read_whole(number: int, max_bytes: int) -> bytes:
    """The content of an open file; raises TooLarge before anything is read."""
    size = os.fstat(number).st_size
    if size > max_bytes:
        raise TooLarge("what is saved", limit_bytes=max_bytes, size_bytes=size)
    pieces = []
    at = 0
    while at < size and (piece := os.pread(number, size - at, at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def read_head(folder: int, name: str, size_bytes: int) -> bytes:
    """The first bytes of the file of this name, locked or not; b"" if it is missing."""
    number = open_to_read(folder, name)
    if number is None:
        return b""
    try:
        return os.pread(number, size_bytes, 0)
    finally:
        os.close(number)


def open_to_read(folder: int, name: str) -> int | None:
    """A descriptor for reading; None if the file is missing, or a link or a pipe in its place."""
    found = stat_of(folder, name)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    try:
        return os.open(name, os.O_RDONLY | _SAFELY, dir_fd=folder)
    except FileNotFoundError:
        return None


def open_locked(folder: int, name: str, *, create: bool) -> int | None:
    """A descriptor of the file that has this name, locked by us; None if the file is missing.

    Raises BlockingIOError if another descriptor holds the lock.
    """
    flags = os.O_RDWR | os.O_APPEND | _SAFELY | (os.O_CREAT if create else 0)
    while True:
        try:
            number = os.open(name, flags, 0o600, dir_fd=folder)
        except FileNotFoundError:
            return None
        try:
            lock(number)
            # Its owner may have replaced or deleted it since we opened it: then this is not the session's file.
            if has_name(number, folder, name):
                return number
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def retried(attempt: Callable[[], T], within_s: float, may_help: Callable[[BlockingIOError], bool]) -> T:
    """What an attempt to lock a file gives; it is repeated for so long while that may help. Then BlockingIOError."""
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            return attempt()
        except BlockingIOError as error:
            if not may_help(error) or time.monotonic() >= deadline_s:
                raise
        time.sleep(_BETWEEN_TRIES_S)


def lock(number: int) -> None:
    """Lock the open file for its only owner; raises BlockingIOError if it has one, OnlyLookedAt if it may have none."""
    if not stat.S_ISREG(os.fstat(number).st_mode):
        raise OSError(0, "there is something that is not a file where the session's file should be")
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if is_locked(number):
            raise
        raise OnlyLookedAt from None


def is_locked(number: int) -> bool:
    """Whether another descriptor owns the lock. Looking shares the lock for an instant, so `lock` may fail then."""
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(number, fcntl.LOCK_UN)
    return False


def has_name(number: int, folder: int, name: str) -> bool:
    """Whether the open file is the one that has this name now."""
    found = stat_of(folder, name)
    return found is not None and os.path.samestat(os.fstat(number), found)


def names_in(folder: int) -> list[str]:
    """The names of all that is in the folder."""
    # The position in a listing belongs to a descriptor and all its copies, also those in forked processes and other
    # threads: two that list at once by one descriptor get names twice, or never.
    own = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.listdir(own)
    finally:
        os.close(own)


def stat_of(folder: int, name: str) -> os.stat_result | None:
    """What has this name, links not followed; None for nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def unlink(folder: int, name: str) -> bool:
    """Delete the file; whether there was one."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True
