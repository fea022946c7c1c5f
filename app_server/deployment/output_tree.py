"""A folder of generated files with a manifest: written whole or not at all, and compared with what comes next."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app_server import system
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.errors import OperatorError, OperatorErrors

MANIFEST = "manifest.json"
FORMAT = 1
# A folder with more files was not created for a deployment.
MOST_CARRIED = 10_000
MOST_SYNCED = 64
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Manifest:
    """What was written before: hashes by path, and the start command of each instance."""

    hashes: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)


def digest(text: str) -> str:
    """The hash of a file's text, as the manifest has it."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_text(plan: Plan, files: Files) -> str:
    """The manifest of these files: the same for the same deployment, so it changes with the deployment."""
    listed = {
        path: {"sha256": digest(file.text), "mode": f"{file.mode:04o}", "owner": file.owner, "install": file.install}
        for path, file in sorted(files.items())
    }
    whole = {
        "format": FORMAT,
        "written by": "app-server",
        "name": plan.name,
        "regenerate": list(plan.regenerate),
        "files": listed,
        "instances": {instance.name: list(instance.command) for instance in plan.instances},
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder, an empty one if it has none. OperatorError for one that cannot be read."""
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT or found["written by"] != "app-server":
            raise ValueError
        hashes = {str(name): str(about["sha256"]) for name, about in found["files"].items()}
        return Manifest(hashes, {str(name): list(words) for name, words in found["instances"].items()})
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        hint = "Choose another --output, or move it away."
        raise OperatorError("was not written by app-server", where=str(path), hint=hint) from None


def text_of(path: Path) -> str | None:
    """The content of a file, None if it does not exist."""
    try:
        return path.read_bytes().decode("utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None


def write_tree(folder: Path, plan: Plan, files: Files, *, force: bool) -> None:
    """Put the files and their manifest into the folder in one step: after a crash it is the old one or the new one.

    Files that are not ours, or were changed since we wrote them, are an OperatorError, unless `force` is given: then
    our files replace those of the same names, and all others stay.
    """
    place = Path(os.path.realpath(folder))
    carried = list(_foreign(place, files, force=force))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise OperatorError(f"cannot be written there: {error.strerror}", where=str(folder)) from None
    try:
        _fill(draft, place, plan, files, carried)
        _swap(draft, place)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}; nothing was changed", where=str(folder)) from None
    finally:
        # What was there before, or what did not get there.
        shutil.rmtree(draft, ignore_errors=True)


def _foreign(place: Path, files: Files, *, force: bool) -> Iterator[Path]:
    """The files of the folder that are not ours, relative to it; OperatorErrors if they are in the way."""
    if place.exists() and not place.is_dir():
        raise OperatorError("is not a folder", where=str(place), hint="Choose another --output.")
    known = read_manifest(place).hashes
    faults: list[OperatorError] = []
    hint = "Choose another --output, or give --force."
    count = 0
    for path in sorted(_walk(place)):
        name = path.as_posix()
        if name == MANIFEST or _compiled_of_ours(path, known):
            continue
        count += 1
        if count > MOST_CARRIED:
            what = "contains too many files that app-server did not write"
            raise OperatorError(what, where=str(place), hint="Choose an empty folder.")
        full = place / path
        ours = name in known and not full.is_symlink() and digest(text_of(full) or "") == known[name]
        if ours:
            continue
        if not force:
            what = "was changed since it was written" if name in known else "exists, and was not written by app-server"
            faults.append(OperatorError(what, where=str(full), hint=hint))
        elif name not in known and name not in files:
            yield path
    if faults:
        raise OperatorErrors(faults[:10])


def _compiled_of_ours(path: Path, known: Mapping[str, str]) -> bool:
    """Whether Python keeps a compiled file of ours there, as it does when gunicorn reads its configuration."""
    source = path.parent.parent / f"{path.stem.rpartition('.')[0]}.py"
    return path.parent.name == "__pycache__" and path.suffix == ".pyc" and source.as_posix() in known


def _walk(place: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(place):
        here = Path(root).relative_to(place)
        yield from (here / name for name in names)
        yield from (here / name for name in folders if (Path(root) / name).is_symlink())


def _fill(draft: Path, place: Path, plan: Plan, files: Files, carried: Sequence[Path]) -> None:
    mode = stat.S_IMODE(place.stat().st_mode) if place.is_dir() else 0o755
    for path in carried:
        (draft / path).parent.mkdir(parents=True, exist_ok=True)
        if not _linked(place / path, draft / path):
            shutil.copy2(place / path, draft / path, follow_symlinks=False)
    whole = {**files, MANIFEST: File(manifest_text(plan, files))}
    for name, file in whole.items():
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (_is_there(place / name, file) and _linked(place / name, target)):
            target.write_text(file.text, encoding="utf-8", newline="")
    if len(whole) > MOST_SYNCED and hasattr(os, "sync"):
        # One by one, thousands of files would take minutes to reach the disk.
        os.sync()
    for name, file in whole.items():
        if len(whole) <= MOST_SYNCED:
            # Only now that all are written: most of them reach the disk together with the first one.
            # Windows syncs only what can be written.
            with (draft / name).open("r+b" if system.BINARY else "rb") as written:
                os.fsync(written.fileno())
        (draft / name).chmod(file.mode)
    draft.chmod(mode)


def _is_there(path: Path, file: File) -> bool:
    """Whether the file is already there as it would be written."""
    try:
        found = path.lstat()
    except OSError:
        return False
    as_written = (stat.S_IFREG | file.mode, system.user_id(), os.getegid() if hasattr(os, "getegid") else 0)
    return (found.st_mode, found.st_uid, found.st_gid) == as_written and text_of(path) == file.text


def _linked(path: Path, target: Path) -> bool:
    """Give the file a second name, so neither it nor its removal need reach the disk; False if that cannot be."""
    try:
        os.link(path, target, follow_symlinks=False)
    except (OSError, NotImplementedError):
        return False
    return True


def _swap(draft: Path, place: Path) -> None:
    """Let the two folders change their names; afterwards `draft` is what was there before."""
    try:
        os.rmdir(place)  # an empty folder can simply be replaced
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchange(draft, place):
            # If the file system cannot do it in one step, there is a moment without the folder.
            before = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
            os.rmdir(before)  # Windows gives no folder the name of another, even of an empty one
            os.rename(place, before)
            try:
                os.rename(draft, place)
            except OSError:
                os.rename(before, place)
                raise
            os.rename(before, draft)
        return
    os.rename(draft, place)


def _exchange(one: Path, other: Path) -> bool:
    """renameat2(2) with RENAME_EXCHANGE; whether it was there and worked."""
    import ctypes  # only an output that replaces another needs it

    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        return bool(
            libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
        )  # fmt: skip
    return False
