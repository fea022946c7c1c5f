"""Whether this user can read the files that settings name, and what to do if not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from app_server import system
from app_server.errors import OperatorError
from app_server.settings.reading import Given

_FILES = (
    "ssl_certfile", "ssl_keyfile", "auth_module", "authorize", "basic_auth", "console_auth", "index", "ico_path",
    "setup",
)  # fmt: skip


_PASSWD = "`app-server passwd FILE USER` writes such a file."
_WRITES = {"basic_auth": _PASSWD, "console_auth": _PASSWD}
"""What writes a file that is missing."""


def missing_files(chosen: Mapping[str, Given]) -> Iterator[OperatorError]:
    """The faults of files that settings name but that cannot be read."""
    for name in _FILES:
        if name in chosen and not (name == "ico_path" and chosen[name].value in (None, "none")):
            yield from unreadable(chosen[name].value, chosen[name].where, _WRITES.get(name))
    if "static_dirs" in chosen:
        for word in chosen["static_dirs"].value:
            yield from _no_folder(word.partition("=")[2], chosen["static_dirs"].where)
    if "dev_watch" in chosen:
        for path in chosen["dev_watch"].value:
            yield from unreadable(path, chosen["dev_watch"].where)


def _no_folder(path: str, where: str) -> Iterator[OperatorError]:
    """The fault of a path that is not a folder which this user can enter."""
    if not os.path.isdir(path):
        folder = closed_folder(path)
        what = "cannot be reached by this user" if folder else "is not a folder"
        hint = f"Give this user permission to enter {folder}." if folder else None
        yield OperatorError(f"{path} {what}", where=where, hint=hint)
    elif not system.may_access(path, os.R_OK | os.X_OK):
        yield OperatorError(f"{path} cannot be read by this user", where=where)


def unreadable(path: str, where: str, if_missing: str | None = None) -> Iterator[OperatorError]:
    """The fault of a path that is not a file which this user can read; `if_missing` says what writes it."""
    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        folder = closed_folder(path)
        hint = f"Give this user permission to enter {folder}." if folder else None
        yield OperatorError(f"{path} cannot be reached by this user", where=where, hint=hint)
    except (FileNotFoundError, NotADirectoryError):
        yield OperatorError(f"{path} does not exist", where=where, hint=if_missing)
    except OSError as error:
        yield OperatorError(f"{path} cannot be read: {error.strerror}", where=where)
    else:
        if not stat.S_ISREG(mode):
            yield OperatorError(f"{path} is not a file", where=where)
        elif not system.may_access(path, os.R_OK):
            yield OperatorError(f"{path} cannot be read by this user", where=where)


def closed_folder(path: str) -> str | None:
    """The uppermost folder above this path that this user may not enter; None if there is none."""
    folders = reversed(Path(os.path.abspath(path)).parents)
    return next((str(folder) for folder in folders if not system.may_access(folder, os.X_OK)), None)
