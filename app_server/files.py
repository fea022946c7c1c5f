"""Write a file in one step: readers, even after a crash, find either the old content or the new one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from app_server import system

# What file systems without hard links answer, such as FAT and some network shares.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def write_atomically(
    path: Path, content: str | bytes, *, mode: int | None = None, durable: bool = True, overwrite: bool = True
) -> None:
    """Create or replace the file in one step. If that fails, OSError: the old file is unchanged, nothing is left over.

    Text is written as UTF-8. `mode` is the file's mode whatever the umask; None keeps the old file's, and gives a new
    file what the umask leaves. A file keeps its owner when root replaces it. A symbolic link stays where it is: the
    file it leads to is replaced. `durable=False` does not wait for the disk, for files that need not survive a crash
    of the machine. `overwrite=False` raises FileExistsError if anything has this name already, even a broken link.
    """
    target = Path(os.path.realpath(path)) if overwrite else path
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.PRIVATE, 0o666 if mode is None else 0o600)
    try:
        with open(number, "wb") as file:
            _copy_permissions(number, target, mode)
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(number)
        give_name(draft, target, overwrite=overwrite)
    finally:
        with suppress(OSError):
            os.unlink(draft)


def give_name(draft: str | Path, target: Path, *, overwrite: bool) -> None:
    """Give a complete draft its name, in one step; it may keep its old one as well.

    Raises FileExistsError for a name that is taken, unless `overwrite`, which replaces files and links, but no devices
    or pipes: OSError.
    """
    if overwrite:
        if target.exists() and not target.is_file() and not target.is_dir():
            raise OSError(errno.EINVAL, "Not a regular file", str(target))
        os.replace(draft, target)
        return
    try:
        os.link(draft, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(draft, target)


def _copy_permissions(number: int, target: Path, mode: int | None) -> None:
    """Give the open draft its mode and owner before it has any content."""
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    if old is not None and system.is_root():
        os.fchown(number, old.st_uid, old.st_gid)
    if mode is None and old is not None:
        mode = stat.S_IMODE(old.st_mode)
    if mode is not None and hasattr(os, "fchmod"):  # Windows has modes only since Python 3.13, and no others' files
        os.fchmod(number, mode)
