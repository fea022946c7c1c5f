"""Which modules an application's sources import, and which files it is made of: read from syntax, nothing is run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app_server.apps.program import Program

WATCHED_SUFFIXES = (".py", ".html", ".css", ".yaml", ".js", ".ipynb")


@dataclass(frozen=True, slots=True)
class Sources:
    """`imports` are the top-level modules from elsewhere, `files` the application's own, helper modules included."""

    imports: frozenset[str]
    files: frozenset[Path]


@dataclass(frozen=True, slots=True)
class _Import:
    """A dotted name in parts and the folder in which a helper module of that name would lie."""

    base: Path
    parts: tuple[str, ...]
    is_relative: bool = False


def read_sources(programs: Iterable[Program], folder: Path) -> Sources:
    """Follow the imports of the programs through the helper modules that lie in their folder.

    A helper that does not parse is one of the files and imports nothing; whoever imports it learns the rest.
    """
    imports: set[str] = set()
    files: set[Path] = set()
    waiting: list[tuple[Path, Iterable[ast.Module]]] = [(program.path, program.trees) for program in programs]
    while waiting:
        path, trees = waiting.pop()
        files.add(path)
        for imported in _imports(trees, path.parent, folder):
            helpers = list(_helpers(imported))
            waiting += [(helper, _trees(helper)) for helper in helpers if helper not in files]
            if not helpers and not imported.is_relative:
                imports.add(imported.parts[0])
    return Sources(frozenset(imports), frozenset(files))


def _imports(trees: Iterable[ast.Module], own: Path, folder: Path) -> Iterator[_Import]:
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (_Import(folder, tuple(alias.name.split("."))) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parts = tuple(node.module.split(".")) if node.module else ()
                base = Path(os.path.normpath(own.joinpath(*[".."] * (node.level - 1)))) if node.level else folder
                # The imported name may itself be a module.
                yield from (_Import(base, (*parts, alias.name), node.level > 0) for alias in node.names)


def _helpers(imported: _Import) -> Iterator[Path]:
    """The files that importing it runs, as far as they lie in its folder: packages on the way, then the module."""
    place = imported.base
    for part in imported.parts:
        place = place / part
        module, package = place.with_name(f"{part}.py"), place / "__init__.py"
        if package.is_file():
            yield package
        elif module.is_file():
            yield module
            return
        elif not place.is_dir():
            return


def _trees(path: Path) -> list[ast.Module]:
    try:
        return [ast.parse(path.read_bytes())]
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
