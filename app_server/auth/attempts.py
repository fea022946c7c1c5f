"""Attempts to log in: the users of the password file, and whether a password is right, found out without haste."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import stat
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app_server import system
from app_server.auth.shared_failures import shared_failures
from app_server.errors import OperatorError
from app_server.security.auth.passwords import PasswordFile
from app_server.security.auth.throttle import Throttle
from app_server.security.auth.users import LONGEST_NAME, User

log = logging.getLogger(__name__)

_THREADS = 2  # each needs tens of megabytes for a moment
_MOST_WAITING = 32
_REMEMBERED_S = 300.0
_MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class LoginVerdict:
    """The result of an attempt: the user, or how long to wait before the next one, or neither."""

    user: User | None = None
    wait_s: float = 0.0
    busy: bool = False


def read_users(path: str) -> PasswordFile:
    """The users of this file. OperatorError if it cannot be read, or is malformed."""
    try:
        return PasswordFile.read(Path(path).read_text(encoding="utf-8-sig"), path)
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise OperatorError("is not UTF-8 text", where=path) from None


class Users:
    """The users of a password file, read again whenever it changes. A file that cannot be read has no users."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._users = PasswordFile({})
        self._fault = ""

    def load(self) -> PasswordFile:
        """The users. OperatorError if the file is missing or malformed."""
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._users = read_users(self._path)
                self._seen = seen
                self._warn(status.st_mode)
        except OSError as error:
            raise OperatorError(f"cannot be read: {error.strerror}", where=self._path) from None
        return self._users

    def _warn(self, mode: int) -> None:
        """Log what is unwise about the file."""
        if system.has_file_modes() and mode & (stat.S_IROTH | stat.S_IWOTH):
            log.warning("%s can be read by every user of this machine. Run: chmod 600 %s", self._path, self._path)
        weak = self._users.weak
        if weak:
            kinds = " and ".join(sorted(set(weak.values())))
            what = "%s has %d passwords as %s, which are easy to guess for anyone who gets the file. Set them again."
            log.warning(what, self._path, len(weak), kinds)

    def now(self) -> PasswordFile:
        """The users; none, and a line in the log, while the file is missing or malformed."""
        try:
            users = self.load()
        except OperatorError as error:
            self._seen = None
            if str(error) != self._fault:
                self._fault = str(error)
                log.error("No user can log in. %s", error)
            return PasswordFile({})
        self._fault = ""
        return users


class PasswordChecks:
    """Checks passwords in threads, no more at once than they can take, and slower after failures.

    `tag` makes the fingerprint of a user's password, which changes with the password. `of` sets these users apart from
    others whose failures are in the same memory: an operator of the console may be called like a user of the site.
    """

    def __init__(self, users: Users, tag: Callable[[str], str], of: str = "") -> None:
        self._users = users
        self._of = of
        self._tag = tag
        self._throttle = Throttle(shared_failures())
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        # Programs send their password with each request; a verification costs a tenth of a second.
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._known_key = secrets.token_bytes(32)

    @property
    def remembered(self) -> int:
        """How many passwords need not be verified again for now."""
        return len(self._known)

    async def attempt(self, name: str, password: str, address: str | None) -> LoginVerdict:
        """Whether this password lets this user in; failures are counted and logged, and the loop is not blocked."""
        name = unicodedata.normalize("NFC", name)[:LONGEST_NAME]
        users = self._users.now()
        known_as = self._known_as(users, name, password)
        if self._known.get(known_as, 0.0) > time.monotonic():
            return LoginVerdict(users.user(name))
        if self._waiting >= _MOST_WAITING:
            log.warning("Too many logins at once; delaying one from %s", address)
            return LoginVerdict(wait_s=2.0, busy=True)
        counted_as = f"{self._of}\0{name}"
        wait_s = self._throttle.begin(counted_as, address, time.monotonic())
        if wait_s > 0:
            log.warning("Delaying logins from %s for %d s after failed ones", address, whole_s(wait_s))
            return LoginVerdict(wait_s=wait_s)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._threads, users.check, name, password)
        finally:
            self._waiting -= 1
        if not right:
            # Only names that there are: people type their password into the wrong field.
            who = repr(name) if name in users.users else "an unknown user"
            log.warning("Failed login of %s from %s", who, address)
            return LoginVerdict()
        self._throttle.succeeded(counted_as, address)
        self._known[known_as] = time.monotonic() + _REMEMBERED_S
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return LoginVerdict(users.user(name))

    def _known_as(self, users: PasswordFile, name: str, password: str) -> bytes:
        # The mark changes with the password in the file, and an old one is forgotten.
        mark = users.fingerprint(name, self._tag) or ""
        text = f"{len(name)}:{name}{mark}\n{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._known_key, text, "sha256")

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def whole_s(wait_s: float) -> int:
    """This many seconds, rounded up, and at least one."""
    return max(1, int(wait_s + 0.999))
