"""What images of app-server are built of: the clone that this program runs from, or what its wheel brings along."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app_server import system
from app_server.deployment import own_files
from app_server.errors import OperatorError
from app_server.version import __version__

# What the Dockerfiles copy from a clone.
_OF_IMAGES = (
    ".dockerignore", "LICENSE", "README.md", "hatch_build.py", "pyproject.toml",
    "ansible", "app_server", "deploy", "docker", "examples", "requirements/build.txt", "requirements/image.txt",
)  # fmt: skip

_PARTS = {
    "ansible": [("ansible", "")],
    "examples": [("examples", "")],
    "scenes": [("deploy/scenes", ""), ("deploy/deploy.example.yaml", "deploy.example.yaml")],
}
"""What a part consists of: a path in a clone, and its name in the new folder."""
_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+([^)#\s]+)[^)\s]*)\)")
"""A link of Markdown that leads out of its folder, and where it leads in a clone."""


def export(part: str, folder: Path) -> None:
    """Copy what this program brings along into a new folder: a part of a clone, or `images`, what images are built of.

    OperatorError for a folder that contains something, and where there is nothing to copy.
    """
    try:
        is_new = not os.path.lexists(folder)
        if not is_new and (not folder.is_dir() or any(folder.iterdir())):
            raise OperatorError("exists already", where=str(folder), hint="Name a new folder.")
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(folder)) from None
    if part == "images":
        origin = sources()
        found = [] if origin is None else [(origin / name, folder / name) for name in _OF_IMAGES]
    else:
        found = [(own_files.place(path), folder / name) for path, name in _PARTS[part]]
    if not found or not all(origin.exists() for origin, _ in found):
        hint = "Run this where app-server is installed from its wheel: its image has no such files."
        raise OperatorError("is missing", where=str(own_files.place("")), hint=hint)
    try:
        if is_new:
            folder.mkdir(parents=True)
        with _whole(folder if is_new else None):
            for origin, target in found:
                _copy(origin, target)
            if part != "images":  # these are built of what the wheel has, byte by byte
                for page in folder.rglob("*.md"):
                    _name_what_is_elsewhere(page)
    except OSError as error:
        # copytree collects the reasons of all files, and has none of its own.
        reason = error.strerror or str(error.args[0][0][2] if isinstance(error, shutil.Error) else error)
        raise OperatorError(f"cannot be written: {reason}", where=str(folder)) from None


@contextmanager
def _whole(made: Path | None) -> Iterator[None]:
    """Leave nothing in the folder that was made for it if the block fails: a part would look like the whole."""
    try:
        yield
    except BaseException:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        raise


def _name_what_is_elsewhere(page: Path) -> None:
    """Replace links to pages that did not come along, such as the manual's, by their text and name."""

    def replaced(link: re.Match[str]) -> str:
        if (page.parent / link[2].partition("#")[0]).exists():
            return link[0]
        return link[1] if link[1] == link[3] else f"{link[1]} ({link[3]})"

    text = page.read_text(encoding="utf-8")
    page.write_text(_LINK.sub(replaced, text), encoding="utf-8")


def _copy(origin: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(origin, target)


def sources() -> Path | None:
    """A folder that images can be built of; None if there is none. OperatorError if it cannot be written."""
    clone = own_files.own_clone()
    if clone is not None:
        return clone
    if not own_files.place(own_files.DOCKERFILE).is_file():
        return None
    return _assembled(_cache() / f"sources-{__version__}")


def _cache() -> Path:
    """Where this user's caches are; the home may be unset, or another one's."""
    named = os.environ.get("XDG_CACHE_HOME") or (f"{os.environ['HOME']}/.cache" if os.environ.get("HOME") else "")
    for folder in (Path(named) / "app-server" if named else None, Path(tempfile.gettempdir())):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder if folder.name == "app-server" else folder / f"app-server-{system.user_id()}"
    hint = "Set TMPDIR to a folder that can be written."
    raise OperatorError("cannot be written", where=tempfile.gettempdir(), hint=hint)


def _assembled(folder: Path) -> Path:
    """The wheel's files as a clone has them. The same files give the same image, whenever they were copied."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.parent.lstat().st_uid != system.user_id():
            # Another user could exchange what the images are made of.
            hint = "Set XDG_CACHE_HOME to a folder of your own."
            raise OperatorError("belongs to another user", where=str(folder.parent), hint=hint)
        draft = Path(tempfile.mkdtemp(prefix=".sources-", dir=folder.parent))
        shutil.copytree(own_files.place(""), draft, dirs_exist_ok=True)
        for name in ("deploy", "ansible"):
            shutil.copytree(own_files.place(name), draft / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(own_files.PACKAGE, draft / "app_server", ignore=_what_is_beside)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return folder


def _what_is_beside(folder: str, names: list[str]) -> list[str]:
    is_there = Path(folder) == own_files.PACKAGE / "deployment"
    own = {Path(path).name for path in own_files.PLACES.values()} if is_there else set()
    return [name for name in names if name == "__pycache__" or name in own]
