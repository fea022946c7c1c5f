"""Which modules an application's sources import, and which files it is made of: read from syntax, nothing is run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

WATCHED_SUFFIXES = (".py", ".html", ".css", ".yaml", ".js", ".ipynb")


@dataclass(frozen=True, slots=True)
class ImportedName:
    """A dotted name in parts, and how many dots stood before it: 0 for an absolute import.

    `from a import b` names `a.b`, for `b` may be a module.
    """

    parts: tuple[str, ...]
    level: int = 0


@dataclass(frozen=True, slots=True)
class Sources:
    """What an application is made of.

    `imports` are the top-level modules from elsewhere, `modules` the same by all that the sources say of their names,
    `helper_names` those that lie beside it, `files` its own files, the helper modules included.
    """

    imports: frozenset[str]
    modules: frozenset[str]
    helper_names: frozenset[str]
    files: frozenset[Path]


def imported_names(tree: ast.AST) -> Iterator[ImportedName]:
    """Every name that the code may import, at its top or deep inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (ImportedName(tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = tuple(node.module.split(".")) if node.module else ()
            yield from (ImportedName((*parts, alias.name), node.level) for alias in node.names)


def read_sources(entries: Mapping[Path, Iterable[ImportedName]], folder: Path) -> Sources:
    """Follow the imports of the entry files through the helper modules that lie in their folder.

    A helper that does not parse is one of the files and imports nothing; importing it raises the error.
    """
    imports: set[str] = set()
    modules: set[str] = set()
    helper_names: set[str] = set()
    files: set[Path] = set()
    waiting = list(entries.items())
    while waiting:
        file, names = waiting.pop()
        files.add(file)
        for name in names:
            helpers = list(_helpers(_base(name, file, folder), name.parts))
            waiting += [(helper, _names_in(helper)) for helper in helpers if helper not in files]
            if name.level == 0:
                (helper_names if helpers else imports).add(name.parts[0])
                if not helpers:
                    modules.add(".".join(name.parts))
    return Sources(frozenset(imports), frozenset(modules), frozenset(helper_names), frozenset(files))


def _base(name: ImportedName, file: Path, folder: Path) -> Path:
    """The folder in which a helper module of that name would be."""
    return file.parents[min(name.level, len(file.parents)) - 1] if name.level else folder


def _helpers(base: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """The files below `base` that importing the name runs: the packages on the way, then the module."""
    place = base
    for part in parts:
        place = place / part
        module, package = place.with_name(f"{part}.py"), place / "__init__.py"
        if package.is_file():
            yield package
        elif module.is_file():
            yield module
            return
        elif not place.is_dir():
            return


def _names_in(file: Path) -> list[ImportedName]:
    try:
        return list(imported_names(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return []


def tree_files(folder: Path) -> Iterator[Path]:
    """The files of a folder whose change a developer wants to see, in order; without caches and environments."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_machinery(Path(at, name)))
        yield from (Path(at, name) for name in sorted(names) if name.endswith(WATCHED_SUFFIXES))


def _is_machinery(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in ("__pycache__", "node_modules"):
        return True
    return (folder / "pyvenv.cfg").is_file()
