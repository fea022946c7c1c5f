"""Which files belong to applications: those that are named, and modules beside a script that it imports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.images.ignoring import Ignoring, ignoring, is_product, is_secret_or_product
from app_server.deployment.scaffold import imports_of
from app_server.errors import OperatorError


def files_below(place: Path, folder: Path, leaving: Ignoring | None = None) -> Iterator[Path]:
    """A file, or all files of a folder but for those that `leaving` excludes; relative to `folder`.

    A file that was named is taken, whatever its name; a private key never is. OperatorError for one that was named.
    """
    leaving = ignoring(folder) if leaving is None else leaving
    if place.is_file():
        if _is_secret(place, leaving):
            hint = "Move it out of this folder, and set its path below `secrets`."
            raise OperatorError("is a secret, which releases must not contain", where=str(place), hint=hint)
        yield place.relative_to(folder)
        return
    for root, folders, names in os.walk(place):
        here = Path(root)
        inside = "" if here == folder else f"{here.relative_to(folder).as_posix()}/"
        folders[:] = sorted(
            name for name in folders
            if not leaving.excludes_surely(inside + name) and not is_product(here / name)
        )  # fmt: skip
        for name in sorted(names):
            path = here / name
            if path.is_file() and not leaving.excludes(inside + name) and not _is_secret(path, leaving):
                yield path.relative_to(folder)


def _is_secret(path: Path, leaving: Ignoring) -> bool:
    return path.resolve() in leaving.secrets or is_secret_or_product(path)


def files_matching(pattern: str, folder: Path, leaving: Ignoring | None = None) -> Iterator[Path]:
    """The files that a pattern such as `data/*.csv` names, relative to `folder`. OperatorError if there is none."""
    hint = f"Patterns start in {folder}."
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise OperatorError("is outside the applications' folder", where=f"--include {pattern}", hint=hint)
    leaving = ignoring(folder) if leaving is None else leaving
    matches = [
        match for match in sorted(folder.glob(pattern))
        if not leaving.excludes(match.relative_to(folder).as_posix())
        and not (is_product(match) if match.is_dir() else _is_secret(match, leaving))
    ]  # fmt: skip
    if not matches:
        raise OperatorError("no file matches", where=f"--include {pattern}", hint=hint)
    for match in matches:
        yield from files_below(match, folder, leaving)


def modules_beside(script: Path) -> Iterator[Path]:
    """The modules and packages in the script's folder that it imports, and what these import from there in turn."""
    seen: set[Path] = set()
    waiting = [script]
    while waiting:
        for name in imports_of(waiting.pop()):
            for place in (script.parent / f"{name}.py", script.parent / name):
                parts = [place] if place.is_file() else sorted(place.rglob("*.py"))
                if place in seen or not parts:
                    continue
                seen.add(place)
                waiting += parts
                yield place
