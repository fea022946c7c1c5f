"""Files on their way into a backup, and back. On the way back, an existing file is never changed without being told to.

A file is called by its role, such as `secrets.secret_key`; where it belongs is said by who restores it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app_server import system
from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.store.backup.archive import Member

_MOST_BYTES: Final = 64 * 1024 * 1024
# Secrets and keys: nothing that was restored is for others, whatever the archive says.
_MODES: Final = 0o750


def read_file(role: str, path: Path) -> Member:
    """A file as a member of a backup, with its owner. OperatorError if it cannot be read."""
    try:
        # A pipe would wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            about = os.fstat(file.fileno())
            data = file.read(_MOST_BYTES + 1) if stat.S_ISREG(about.st_mode) else None
    except OSError as error:
        hint = "Run this as a user who can read it, such as root." if isinstance(error, PermissionError) else None
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path), hint=hint) from None
    if data is None or len(data) > _MOST_BYTES:
        what = "is not a file" if data is None else f"is larger than {_MOST_BYTES // 2**20} MB"
        raise OperatorError(what, where=str(path), hint="A backup has secrets and certificates; leave this one out.")
    mode, ids = stat.S_IMODE(about.st_mode), (about.st_uid, about.st_gid)
    return Member("file", role, data, float(int(about.st_mtime)), mode, _user(ids[0]), _group(ids[1]), ids)


def _user(number: int) -> str:
    import pwd  # Windows has neither this nor grp, and no backups

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


@dataclass(frozen=True)
class PlannedFile:
    """A file to restore: where it belongs, and whether the same is there already."""

    member: Member
    path: Path
    is_there: bool


def plan_files(found: Sequence[Member], places: Mapping[str, Path], *, overwrite: bool) -> list[PlannedFile]:
    """What to do with the files of a backup that have a place here; the others are left out.

    OperatorError, before anything is written, for a file that would be replaced by another one, unless `overwrite`.
    """
    planned: list[PlannedFile] = []
    for member in found:
        if (path := places.get(member.name)) is None:
            continue
        _check_place(member, path, planned)
        planned.append(PlannedFile(member, path, _has(path, member.data)))
        if not overwrite and os.path.lexists(path) and not planned[-1].is_there:
            hint = "Nothing was restored. Move it away, or replace such files with --force."
            raise OperatorError("exists, and is not what the backup has", where=str(path), hint=hint)
    return planned


def _check_place(member: Member, path: Path, planned: Sequence[PlannedFile]) -> None:
    """OperatorError for a place that cannot be a file's, or has got another file of the backup."""
    hint = "Nothing was restored. Name another file."
    if path.exists() and not path.is_file():
        raise OperatorError("is not a file", where=str(path), hint=hint)
    for other in planned:
        if os.path.realpath(other.path) == os.path.realpath(path) and other.member.data != member.data:
            what = f"is named for both {other.member.name} and {member.name}, which differ"
            raise OperatorError(what, where=str(path), hint=hint)


def _has(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None


def restore_files(planned: Sequence[PlannedFile]) -> Iterator[str]:
    """Write the files that are not there, each in one step, and say of each what was done. OperatorError."""
    for each in planned:
        if each.is_there:
            yield f"{each.member.name}: {each.path} is as it was"
            continue
        try:
            each.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            write_atomically(each.path, each.member.data, mode=0o600)
            _give(each)
        except OSError as error:
            raise OperatorError(f"cannot be written: {error.strerror}", where=str(each.path)) from None
        yield f"{each.member.name}: restored to {each.path}"


def _give(each: PlannedFile) -> None:
    """Give a file to its owner, if that is known here and this is root, and then its mode."""
    # A link stays a link: the file it leads to was written.
    written = os.path.realpath(each.path)
    if system.is_root():
        os.chown(written, *owner_of(each.member), follow_symlinks=False)
    os.chmod(written, each.member.mode & _MODES)


def owner_of(member: Member) -> tuple[int, int]:
    """The numbers of the file's user and group here; root's for names that this machine does not have.

    Those without a name, such as users of containers, keep their numbers.
    """
    import grp
    import pwd

    user, group = member.ids
    if member.owner:
        try:
            user = pwd.getpwnam(member.owner).pw_uid
        except KeyError:
            user = 0
    if member.group:
        try:
            group = grp.getgrnam(member.group).gr_gid
        except KeyError:
            group = 0
    return user, group
