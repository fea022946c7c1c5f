"""A folder that only this user can write, made if it is missing."""

from __future__ import annotations

import os
import pwd
import stat

from app_server.errors import OperatorError


def open_private_folder(path: str, where: str) -> int:
    """A descriptor of the folder; raises OperatorError if it cannot be used, or if other users could write it.

    Anyone who can write it could give one user's session to another. A symbolic link is not followed: its owner may
    replace it at any time.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(path, where, error) from None
    try:
        _check_owner(path, where, os.fstat(number))
    except OperatorError:
        os.close(number)
        raise
    return number


def _unusable(path: str, where: str, error: OSError) -> OperatorError:
    if os.path.islink(path):
        hint = f"Name the folder that it leads to: {os.path.realpath(path)}"
        return OperatorError(f"{path} is a symbolic link", where=where, hint=hint)
    if os.path.lexists(path) and not os.path.isdir(path):
        return OperatorError(f"{path} is not a folder", where=where, hint="Name a folder for saved sessions.")
    hint = "Make it, or name one that this user can make and write."
    return OperatorError(f"{path} cannot be used for sessions: {error.strerror}", where=where, hint=hint)


def _check_owner(path: str, where: str, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        owner, own = _user(found.st_uid), _user(os.geteuid())
        hint = f"Run this as {owner}, or give the folder away: chown {own} {path}"
        raise OperatorError(f"{path} belongs to {owner}, not to {own}", where=where, hint=hint)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OperatorError(f"{path} can be written by other users", where=where, hint=f"Run: chmod 700 {path}")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"the user {number}"
