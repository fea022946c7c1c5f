"""A source file compiled once, to be run many times, each time in a module of its own."""

from __future__ import annotations
import __future__

import ast
import functools
import linecache
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar
from uuid import uuid4

from app_server.apps.faults import CodePlace, application_error
from app_server.document.pages.noop_output import APPLICATION_MODULE_PREFIX
from app_server.errors import ApplicationError, OperatorError
from app_server.settings import ISOLATIONS, RESTORES, Restore
from app_server.sources.imports import ImportedName, imported_names
from app_server.sources.markdown import read_markdown
from app_server.sources.notebook import notebook_names, read_cells

_Choice = TypeVar("_Choice", bound=str)

_FUTURE_FLAGS = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


@dataclass(frozen=True, slots=True)
class Program:
    """The code of a file: one piece for a script or a Markdown file, one for each cell of a notebook; and what it
    imports."""

    path: Path
    codes: tuple[CodeType, ...]
    imported: frozenset[ImportedName]
    names: dict[str, Any] = field(repr=False)
    docstring: str = ""
    isolation: str | None = None
    restore: Restore | None = None

    def new_module(self, package: ModuleType | None = None) -> ModuleType:
        """An empty module of a unique name for one run; in `package`, relative imports find the folder's modules."""
        module = ModuleType(new_module_name())
        module.__file__ = str(self.path)
        if package is not None:
            module.__package__ = package.__name__
            module.__path__ = [str(self.path.parent)]
        module.__dict__.update(self.names)
        return module

    def run(self, module: ModuleType) -> None:
        """Execute the code in the module; what the code raises passes."""
        for code in self.codes:
            exec(code, module.__dict__)


def new_module_name() -> str:
    """A name that no module has had."""
    return f"{APPLICATION_MODULE_PREFIX}{uuid4().hex}"


def read_program(path: Path, place: CodePlace) -> Program:
    """The program of a `.py`, `.ipynb` or `.md` file, or an `ApplicationError` with the line that does not parse."""
    content = read_source(path, place)
    is_notebook, title = path.suffix == ".ipynb", ""
    if path.suffix == ".md":
        content, title = _read_markdown(path, content, place)
    try:
        pieces = list(_notebook_pieces(path, content, place) if is_notebook else _script_pieces(path, content))
    except (SyntaxError, ValueError) as error:
        # A null byte is a ValueError before Python 3.12.
        raise application_error(error, place) from error
    imported = frozenset(name for tree, _ in pieces for name in imported_names(tree))
    codes = tuple(code for _, code in pieces)
    docstring = title or (ast.get_docstring(pieces[0][0]) if pieces and not is_notebook else None)
    trees = [tree for tree, _ in pieces]
    isolation = _declared("__isolation__", ISOLATIONS, trees, path, place)
    restore = _declared("__restore__", RESTORES, trees, path, place)
    return Program(path, codes, imported, notebook_names() if is_notebook else {}, docstring or "", isolation, restore)


def _declared(
    name: str, choices: Sequence[_Choice], trees: Sequence[ast.Module], path: Path, place: CodePlace
) -> _Choice | None:
    """What a line like `__isolation__ = "process"` says, which is read and not run: it applies before anything runs.

    None without such a line. ApplicationError, with the line, if it says something else.
    """
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            for choice in choices:
                if value == choice:
                    return choice
            what = f"{name} is {ast.unparse(node.value)}"
            hint = f"Write one of {', '.join(map(repr, choices))}"
            raise ApplicationError(what, where=place.line(str(path), node.lineno), hint=hint)
    return None


def read_source(path: Path, place: CodePlace) -> bytes:
    """The bytes of a source file, or an `OperatorError` that says why it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"the file cannot be read: {error.strerror}"
        hint = "Give the server's user permission to read it"
        raise OperatorError(what, where=place.name(str(path)), hint=hint) from error


def _read_markdown(path: Path, content: bytes, place: CodePlace) -> tuple[bytes, str]:
    """The Python of a Markdown file, and its title. OperatorError if it has no Python, for then it is a text."""
    try:
        read = read_markdown(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ApplicationError("the file is not UTF-8", where=place.name(str(path)), hint="Save it as UTF-8") from error
    if not read.python:
        hint = "Begin a block of code with ```python"
        raise OperatorError("has no Python to run", where=place.name(str(path)), hint=hint)
    return read.python.encode(), read.title


def _script_pieces(path: Path, content: bytes) -> Iterator[tuple[ast.Module, CodeType]]:
    # Bytes: Python itself then obeys a coding line and a byte order mark.
    yield _compiled(content, str(path), 0)


def _notebook_pieces(path: Path, content: bytes, place: CodePlace) -> Iterator[tuple[ast.Module, CodeType]]:
    """Each cell by itself, as IPython does it; a `from __future__` holds for the cells after it too."""
    flags = 0
    for cell in read_cells(content, place.name(str(path))):
        filename = f"{path}:cell {cell.number}"
        _show_in_tracebacks(filename, cell.source)
        tree, code = _compiled(cell.source, filename, flags)
        flags |= code.co_flags & _FUTURE_FLAGS
        yield tree, code


def _compiled(source: str | bytes, filename: str, flags: int) -> tuple[ast.Module, CodeType]:
    tree = compile(source, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree, compile(tree, filename, "exec", flags, dont_inherit=True)


def _show_in_tracebacks(filename: str, source: str) -> None:
    # Without a time of change, linecache keeps the entry although no such file exists.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
