"""`app-server passwd FILE USER`: give a user of --basic-auth a password or groups, or take the user out of the file."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from app_server import system
from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.security.auth.htpasswd import Hash, sha_crypt
from app_server.security.auth.passwords import PasswordFile, hash_password, password_fault, read_groups
from app_server.security.auth.users import is_name

COMMAND = Command(
    forms=("FILE USER [--groups NAMES] [--htpasswd]", "FILE USER --delete"),
    text="Set the password of a user of --basic-auth. At a terminal the command asks for it twice; otherwise it reads "
    "the first line of stdin. With --groups, a user who has a password keeps it.",
    examples=("app-server passwd users.txt ann", "app-server passwd users.txt ann --groups analysts,editors"),
    words=(
        Word(name="file", metavar="FILE", help="the file of --basic-auth"),
        Word(name="user", metavar="USER", help="the user's name"),
    ),
    flags=(
        switch("--delete", "remove the user from the file"),
        Flag(
            names=("--groups",),
            metavar="NAMES",
            help="the groups that the user is in, separated by commas; '' for none",
        ),
        switch("--htpasswd", "write a hash that nginx and Apache can read, too"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What changes the file, after file and user have been found to make sense."""
    if not namespace.file or not namespace.user:
        raise OperatorError("no file or no user", hint="For example: app-server passwd users.txt ann")
    user = unicodedata.normalize("NFC", namespace.user)
    if not is_name(user):
        expected = "visible characters without a colon, without a space at its ends, without a # at its beginning"
        raise OperatorError(f"expected {expected}", where="USER")
    # The file a link leads to is the one that is to be replaced, not the link.
    path = Path(os.path.realpath(namespace.file))
    if "delete" in namespace:
        return partial(delete, path, user)
    groups = _groups(namespace.groups) if "groups" in namespace else None
    return partial(run, path, user, groups, for_proxies="htpasswd" in namespace)


def _groups(words: Sequence[str]) -> tuple[str, ...]:
    """The names of groups that were typed. OperatorError for one that the file cannot hold."""
    groups = read_groups(",".join(words))
    if any(":" in name or not name.isprintable() for name in groups):
        raise OperatorError("expected names of visible characters without a colon", where="--groups")
    return groups


def delete(path: Path, user: str) -> int:
    """Take the user out of the file; 0."""
    with locked(path):
        users = read(path)
        if user not in users.users:
            raise OperatorError(f"there is no user {user}", where=str(path))
        write_whole(path, users.without_user(user))
    say(f"{user} can no longer log in.")
    return 0


def run(path: Path, user: str, groups: tuple[str, ...] | None, *, for_proxies: bool) -> int:
    """Ask for the password if it is to be set, and write the file; 0."""
    # Its faults are reported before anyone types a password.
    keeps = user in read(path).users and groups is not None and not for_proxies
    hashed = None if keeps else _hashed(ask_password(user), for_proxies=for_proxies)
    with locked(path):
        users = read(path)
        known = users.users.get(user)
        if known is None and hashed is None:
            raise OperatorError(f"{user} was removed meanwhile", where=str(path))
        write_whole(path, users.with_user(user, hashed or known, groups))  # type: ignore[arg-type]  # one of them is
    say(_said(user, known=known is not None, groups=None if hashed else groups))
    return 0


def _hashed(password: str, *, for_proxies: bool) -> Hash:
    return sha_crypt(password, os.urandom) if for_proxies else hash_password(password)


def _said(user: str, *, known: bool, groups: tuple[str, ...] | None) -> str:
    if not known:
        return f"{user} can log in."
    if groups is None:
        return f"{user} has a new password. Sessions logged in with the old one are logged out."
    return f"{user} is in {', '.join(groups)}." if groups else f"{user} is in no group."


def ask_password(user: str) -> str:
    """The new password: typed twice at a terminal, else the first line of stdin. OperatorError if it is refused."""
    if sys.stdin.isatty():
        try:
            password = getpass.getpass(f"New password for {user}: ")
            again = getpass.getpass("The same again: ")
        except EOFError:
            raise OperatorError("no password was typed", where="stdin") from None
        if password != again:
            raise OperatorError("the two passwords differ; nothing was changed", where="stdin")
    else:
        try:
            password = sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise OperatorError("the password is not UTF-8 text; nothing was changed", where="stdin") from None
    fault = password_fault(password)
    if fault is not None:
        raise OperatorError(f"{fault}; nothing was changed", where="stdin")
    return password


def read(path: Path) -> PasswordFile:
    """The users of the file, none if it does not exist. OperatorError if it is not a password file."""
    try:
        return PasswordFile.read(path.read_text(encoding="utf-8-sig"), str(path))
    except FileNotFoundError:
        return PasswordFile({})
    except UnicodeDecodeError:
        raise OperatorError("is not UTF-8 text", where=str(path)) from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other runs of this command from changing files in the same folder, if the system can lock folders."""
    if not system.has_private_folders():
        yield
        return
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OperatorError(f"cannot be written there: {error.strerror}", where=str(path)) from None
    try:
        system.lock(folder, wait=True)
        yield
    finally:
        os.close(folder)


def write_whole(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it. A crash leaves the old file."""
    try:
        write_atomically(path, text, mode=0o600)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(path)) from None
