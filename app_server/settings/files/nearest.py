"""Files that are found in the current folder or in one above it, as git finds a repository."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from app_server import system
from app_server.errors import OperatorError

_MARK = ".git"


def search_path(folder: Path, home: Path | None) -> list[Path]:
    """The folder and those above it, up to the root of its repository or the home directory.

    Outside both it is only the folder: what lies in /tmp or in / belongs to other people.
    """
    folders = [folder, *folder.parents]
    for number, each in enumerate(folders):
        if each == home or (each / _MARK).exists():
            return folders[: number + 1]
    return [folder]


def nearest(name: str, environ: Mapping[str, str], wanted: Callable[[Path], bool] = Path.is_file) -> Path | None:
    """The path of the nearest file of this name, as seen from the current folder; None if there is none.

    `wanted` says whether it can be this file. OperatorError for one that belongs to another user, if it is in a folder
    above or in one that everyone can write to, such as /tmp; and if the current folder was deleted.
    """
    here = _current_folder()
    home = environ.get("HOME") or environ.get("USERPROFILE")
    for folder in search_path(here, Path(os.path.realpath(home)) if home else None):
        path = folder / name
        if wanted(path):
            if folder != here or folder.stat().st_mode & stat.S_IWOTH:
                _refuse_foreign(path)
            return Path(os.path.relpath(path))
    return None


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        what = f"the current folder cannot be read: {error.strerror}"
        raise OperatorError(what, hint="Change to a folder that exists.") from None


def is_foreign(owner: int, user: int) -> bool:
    """Whether a file's owner is neither this user nor root; on systems without such numbers, both are 0."""
    return owner not in (0, user)


def _refuse_foreign(path: Path) -> None:
    if is_foreign(path.stat().st_uid, system.user_id()):
        what = "belongs to another user, and is only read if you name it"
        raise OperatorError(what, where=str(path))
