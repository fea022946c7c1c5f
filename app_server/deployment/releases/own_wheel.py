"""The wheel of app-server that hosts install: built from a clone, or packed again from what is installed here.

The same installation gives the same bytes, so a release that has not changed keeps its id.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from app_server.deployment.own_files import own_clone
from app_server.errors import OperatorError
from app_server.version import NAME

# Of the metadata, what the wheel had; an installer adds its own files and rewrites RECORD.
_METADATA = re.compile(r"METADATA|WHEEL|entry_points\.txt|licenses/.+")
_FIXED_TIME = (2020, 2, 2, 0, 0, 0)
_SHARED = "share"
"""The only folder below the prefix that a wheel of ours installs files into, besides the program."""


def write_own_wheel(folder: Path) -> Path:
    """Write app-server's wheel into a folder, in the place of an older one. OperatorError if it cannot be made."""
    for old in folder.glob("app_server-*.whl"):
        old.unlink()
    clone = own_clone()
    if clone is None:
        return _packed(_installed(), folder)
    words = [*pip(), "wheel", "--no-deps", "--wheel-dir", str(folder), str(clone)]
    if subprocess.call(words) != 0:
        raise OperatorError("its wheel cannot be built", where=str(clone), hint="pip says why, above.")
    return next(folder.glob("app_server-*.whl"))


def pip() -> list[str]:
    """The words that call pip without its chatter."""
    return [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def _installed() -> Distribution:
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        raise OperatorError("is not installed", where=NAME, hint="Install it from its wheel.") from None


def _packed(installed: Distribution, folder: Path) -> Path:
    """The wheel of an installed distribution."""
    about = f"app_server-{installed.version}"
    target = folder / f"{about}-py3-none-any.whl"
    draft = target.with_suffix(".draft")
    records: list[str] = []
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_contents(installed, about)):
            _write(archive, name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
            records.append(f"{name},sha256={digest},{len(content)}\n")
        record = f"{about}.dist-info/RECORD"
        _write(archive, record, "".join([*records, f"{record},,\n"]).encode())
    draft.replace(target)
    return target


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _FIXED_TIME)
    member.external_attr = 0o100644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, content)


def _contents(installed: Distribution, about: str) -> Iterator[tuple[str, bytes]]:
    """The files of a wheel by their paths in it, except RECORD."""
    for path in installed.files or ():
        name = _name_in_wheel(path, about)
        if name is None:
            continue
        try:
            yield name, Path(str(installed.locate_file(path))).read_bytes()
        except OSError as error:
            hint = "Install app-server again."
            raise OperatorError(f"cannot be read: {error.strerror}", where=str(path), hint=hint) from None


def _name_in_wheel(path: PurePosixPath, about: str) -> str | None:
    """Where the wheel had an installed file; None for what an installer has made."""
    if path.suffix == ".pyc":
        return None
    if path.parts[0] == f"{about}.dist-info":
        return str(path) if _METADATA.fullmatch("/".join(path.parts[1:])) else None
    if path.parts[0] == "..":  # below the prefix: bin/, which an installer makes, or share/
        below = path.parts[path.parts.index(_SHARED) :] if _SHARED in path.parts else ()
        return f"{about}.data/data/{'/'.join(below)}" if below else None
    return str(path)
