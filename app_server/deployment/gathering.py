"""Which files belong to applications: what was named, and what a script imports from beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.first import imports_of
from app_server.errors import OperatorError

_LEFT_OUT = frozenset({"__pycache__", ".git", ".venv", ".ipynb_checkpoints", "node_modules"})


def files_below(place: Path, folder: Path) -> Iterator[Path]:
    """A file, or all files of a folder but for what tools have left there; relative to `folder`."""
    if place.is_file():
        yield place.relative_to(folder)
        return
    for root, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in names:
            path = Path(root) / name
            if path.is_file():
                yield path.relative_to(folder)


def files_matching(pattern: str, folder: Path) -> Iterator[Path]:
    """The files that a pattern such as `data/*.csv` names, relative to `folder`. OperatorError where there is none."""
    hint = f"Patterns start in {folder}."
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise OperatorError("leads out of the applications' folder", where=f"--include {pattern}", hint=hint)
    matches = [match for match in folder.glob(pattern) if match.name not in _LEFT_OUT]
    if not matches:
        raise OperatorError("no file matches", where=f"--include {pattern}", hint=hint)
    for match in matches:
        yield from files_below(match, folder)


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
