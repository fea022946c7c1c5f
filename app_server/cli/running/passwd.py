"""`app-server passwd FILE USER`: give a user of --basic-auth a password, or take the user out of the file."""

from __future__ import annotations

import argparse
import fcntl
import getpass
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from app_server.cli.command import Command, Word, switch
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.security.auth.passwords import PasswordFile, hash_password, password_fault
from app_server.security.auth.users import is_name

COMMAND = Command(
    forms=("FILE USER [--delete]",),
    text="Set the password of a user of --basic-auth. At a terminal the command asks for it twice; otherwise it reads "
    "the first line of stdin.",
    examples=("app-server passwd users.txt ann",),
    words=(
        Word(name="file", metavar="FILE", help="the file of --basic-auth"),
        Word(name="user", metavar="USER", help="the user's name"),
    ),
    flags=(switch("--delete", "remove the user from the file"),),
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
    return partial(run, Path(os.path.realpath(namespace.file)), user, delete="delete" in namespace)


def run(path: Path, user: str, *, delete: bool) -> int:
    """Ask for the password and write the file; 0."""
    if delete:
        with locked(path):
            users = read(path)
            if user not in users.users:
                raise OperatorError(f"there is no user {user}", where=str(path))
            write_whole(path, users.without_user(user))
        say(f"{user} can no longer log in.")
        return 0
    read(path)  # report its faults before anyone types a password
    hashed = hash_password(ask_password(user))
    with locked(path):
        users = read(path)
        known = user in users.users
        write_whole(path, users.with_user(user, hashed))
    say(f"{user} has a new password. Sessions logged in with the old one are logged out." if known
        else f"{user} can log in.")  # fmt: skip
    return 0


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
        return PasswordFile.read(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return PasswordFile({})
    except UnicodeDecodeError:
        raise OperatorError("is not UTF-8 text", where=str(path)) from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other runs of this command from changing files in the same folder."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OperatorError(f"cannot be written there: {error.strerror}", where=str(path)) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_whole(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it. A crash leaves the old file."""
    try:
        write_atomically(path, text, mode=0o600)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(path)) from None
