"""The archive of a backup: a tar file whose first member describes it and whose last member seals it.

In between are `sessions/KEY`, `bookmarks/NAME` and `files/ROLE`. The names say what something is and never where it
belongs, which only the one who restores it decides. The seal has a checksum over all members, so an archive that was
cut off or damaged is noticed before anything is restored. It does not prove who made the archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Literal, cast
from urllib.parse import quote, unquote

from app_server.errors import OperatorError
from app_server.version import __version__

FORMAT: Final = 1
DESCRIPTION: Final = "app-server-backup.json"
SEAL: Final = "seal.json"
Kind = Literal["session", "bookmark", "file"]

_FOLDERS: Final[Mapping[Kind, str]] = {"session": "sessions", "bookmark": "bookmarks", "file": "files"}
_MEMBER: Final = re.compile(
    r"(?:sessions/(?P<session>[0-9a-f]{64})|bookmarks/(?P<bookmark>[A-Za-z0-9_-]{8,128})"
    r"|files/(?P<file>[A-Za-z0-9_.~%-]{1,20000}))"
)
# What a description or a seal may have; both are read whole.
_MOST_BYTES: Final = 1024 * 1024
# What tarfile and json raise for input that is not what they expect. The last two: headers within headers.
_UNREADABLE: Final = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, MemoryError)
# Numbers of users (uid_t), and seconds from the epoch to the year 9999 and the same time before it.
_MOST_IDS: Final = 2**32 - 1
FARTHEST_S: Final = 253402300800.0


@dataclass(frozen=True, slots=True)
class Member:
    """One thing in a backup. `name` is a session's key, a bookmark's name, or the role of a file.

    `time_s`, in seconds since the epoch: when a session was saved, a bookmark expires, or a file was changed.
    """

    kind: Kind
    name: str
    data: bytes = field(repr=False)
    time_s: float = 0.0
    mode: int = 0o600
    owner: str = ""
    """the user of a file, "" if it has only a number"""
    group: str = ""
    ids: tuple[int, int] = (0, 0)
    """the numbers of the file's user and group"""

    @property
    def path(self) -> str:
        """Its name in the archive."""
        return f"{_FOLDERS[self.kind]}/{quote(self.name, safe='') if self.kind == 'file' else self.name}"


@dataclass(frozen=True, slots=True)
class Description:
    """What a backup says of itself, and what was found in it."""

    name: str
    """of the deployment, or "" """
    at: str
    version: str
    """of the app-server that made it"""
    amounts: Mapping[Kind, int]
    files: tuple[str, ...]
    """the roles of its files"""


def is_role(name: str) -> bool:
    """Whether a file may be called so: one line that a terminal can show."""
    return name.isprintable() and bool(name) and len(quote(name, safe="")) <= 20000


class BackupWriter:
    """Writes a backup to a file, one member after another. Call `finish`, or it cannot be restored."""

    def __init__(self, output: BinaryIO, name: str, at: str) -> None:
        self._archive = tarfile.open(fileobj=output, mode="w:", format=tarfile.PAX_FORMAT)
        self._sum, self._amounts = hashlib.sha256(), dict.fromkeys(_FOLDERS, 0)
        about = {"format": FORMAT, "version": __version__, "name": name, "at": at}
        self._put(DESCRIPTION, json.dumps(about).encode())

    @property
    def amounts(self) -> Mapping[Kind, int]:
        """How many of each kind were written."""
        return self._amounts

    def add(self, member: Member) -> None:
        """Write one member."""
        self._put(member.path, member.data, member)
        self._amounts[member.kind] += 1
        _add_to(self._sum, member)

    def finish(self) -> None:
        """Seal the archive."""
        self._put(SEAL, json.dumps({"amounts": self._amounts, "sha256": self._sum.hexdigest()}).encode())
        self._archive.close()

    def _put(self, path: str, data: bytes, member: Member | None = None) -> None:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(data), 0o600
        if member is not None:
            entry.mode, entry.mtime = member.mode, member.time_s
            entry.uname, entry.gname, (entry.uid, entry.gid) = member.owner, member.group, member.ids
        self._archive.addfile(entry, io.BytesIO(data))


def check(file: BinaryIO, where: str) -> Description:
    """Read a whole backup and say what is in it; the file is at its beginning again.

    OperatorError for one that is damaged, was made by a newer version, or is not a backup.
    """
    checksum, amounts, roles = hashlib.sha256(), dict.fromkeys(_FOLDERS, 0), list[str]()
    seen, about, seal = set[str](), dict[str, Any](), dict[str, Any]()
    for entry, data in _entries(file, where):
        if not about:
            about = _description(entry.name, data, where)
        elif seal or entry.name in seen:
            raise _damaged(where, f"{entry.name[:80]!r} does not belong there")
        elif entry.name == SEAL:
            seal = _json(data, where)
        else:
            member = _member(entry, data, where)
            seen.add(entry.name)
            amounts[member.kind] += 1
            roles += [member.name] if member.kind == "file" else []
            _add_to(checksum, member)
    if not about:
        raise _foreign(where)
    if not seal:
        raise _damaged(where, "its end is missing")
    if (seal.get("amounts"), seal.get("sha256")) != (amounts, checksum.hexdigest()):
        raise _damaged(where, "it is not what was written")
    file.seek(0)
    known = {name: str(about.get(name, "")) for name in ("name", "at", "version")}
    return Description(**known, amounts=amounts, files=tuple(roles))


def members(file: BinaryIO, where: str) -> Iterator[Member]:
    """What is in a backup that was checked."""
    for entry, data in _entries(file, where):
        if entry.name not in (DESCRIPTION, SEAL):
            yield _member(entry, data, where)


def _entries(file: BinaryIO, where: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The members of a tar file; only plain files may be among them."""
    try:
        # Never compressed: what is restored cannot be larger than the archive.
        opened = tarfile.open(fileobj=cast("BinaryIO", _Clamped(file)), mode="r:")
    except _UNREADABLE:
        raise _foreign(where) from None
    try:
        with opened as archive:
            for entry in archive:
                if entry.type != tarfile.REGTYPE or entry.issparse():
                    raise _damaged(where, f"{entry.name[:80]!r} is not a plain file")
                content = archive.extractfile(entry)
                data = b"" if content is None else content.read()
                if len(data) != entry.size:
                    raise _damaged(where, "its end is missing")
                yield entry, data
    except _UNREADABLE as error:
        raise _damaged(where, str(error) or "it cannot be read") from None


class _Clamped:
    """A file that never reads more than it has left: a header can say any size, and memory is reserved by that."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.tell = file, file.tell
        begin = file.tell()
        self._end = file.seek(0, os.SEEK_END)
        file.seek(begin)

    def seek(self, position: int) -> int:
        """Go to a position from the beginning."""
        return self._file.seek(position)

    def read(self, size: int) -> bytes:
        """Up to so many bytes."""
        return self._file.read(min(size, max(0, self._end - self._file.tell())))


def _description(name: str, data: bytes, where: str) -> dict[str, Any]:
    if name != DESCRIPTION:
        raise _foreign(where)
    about = _json(data, where)
    if not isinstance(about.get("format"), int) or about["format"] < 1:
        raise _foreign(where)
    if about["format"] > FORMAT:
        version = re.sub(r"[^\w.+]", "", str(about.get("version", "")))[:40] or "?"
        what = f"was made by app-server {version}, in a format that this one does not know"
        raise OperatorError(what, where=where, hint="Restore it with that version or a newer one.")
    return about


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(data) if len(data) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _damaged(where, "its description cannot be read")
    return found


def _member(entry: tarfile.TarInfo, data: bytes, where: str) -> Member:
    found = _MEMBER.fullmatch(entry.name)
    if found is None:
        raise _damaged(where, f"{entry.name[:80]!r} does not belong there")
    kind: Kind = "session" if found["session"] else "bookmark" if found["bookmark"] else "file"
    name = unquote(found["file"]) if kind == "file" else found[kind]
    ids = (entry.uid, entry.gid)
    member = Member(kind, name, data, float(entry.mtime), entry.mode & 0o777, entry.uname, entry.gname, ids)
    # What is here could not have been written by us, and would fail only when it is restored.
    if member.path != entry.name or not _is_plausible(member):
        raise _damaged(where, f"{entry.name[:80]!r} does not belong there")
    return member


def _is_plausible(member: Member) -> bool:
    """Whether names can be shown, and numbers are those of users and times; NaN is not."""
    shown = is_role(member.name) and member.owner.isprintable() and member.group.isprintable()
    return shown and all(0 <= number < _MOST_IDS for number in member.ids) and abs(member.time_s) <= FARTHEST_S


def _add_to(checksum: Any, member: Member) -> None:
    about = [member.path, member.time_s, member.mode, member.owner, member.group, member.ids, len(member.data)]
    checksum.update(json.dumps(about).encode())
    checksum.update(member.data)


def _foreign(where: str) -> OperatorError:
    hint = "Name a file that `app-server backup` has made; unpack or decrypt it first."
    return OperatorError("is not a backup of app-server", where=where, hint=hint)


def _damaged(where: str, what: str) -> OperatorError:
    hint = "Nothing was restored. Take another backup."
    return OperatorError(f"is damaged: {what}", where=where, hint=hint)
