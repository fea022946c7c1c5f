"""The code of a Jupyter notebook, without what only IPython understands.

A line of IPython becomes a line of Python that does nothing, in the same place, so every error names the true line of
its cell. Formats 3 and 4 of notebooks are read as the JSON that they are.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app_server.errors import ApplicationError

# Cell magics whose body does not belong to this program, although it might parse as Python.
_FOREIGN_CELLS = frozenset(
    "! bash cmd cython file html javascript js latex markdown perl pypy python python2 python3 r R ruby script sh "
    "sql SVG svg sx system writefile".split()
)
# Line and cell magics that run the rest of their line.
_RUNNING_MAGICS = frozenset("memit mprun prun time timeit".split())

_ASSIGNED_MAGIC = re.compile(r"^(?P<target>[^\W\d][\w.,\s*\[\]'\"]*=\s*)(?P<sign>[!%])(?!=)")
_HELP = re.compile(r"^\s*(\?{1,2}[%\w.*]+|[%\w.*]+\?{1,2})\s*;?\s*$")
_OPTION = re.compile(r"^-\w+\s*(\d+\s+)?")


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its number among the code cells, from 1, and its Python."""

    number: int
    source: str


def read_cells(content: bytes, where: str) -> list[Cell]:
    """The code cells of a notebook file, made Python; an `ApplicationError` if it is not a Python notebook."""
    try:
        notebook = json.loads(content)
    except json.JSONDecodeError as error:
        what = f"the notebook is not JSON: {error.msg}"
        raise ApplicationError(what, where=f"{where}:{error.lineno}", hint="Save it again in Jupyter") from error
    except UnicodeDecodeError as error:
        what = "the notebook is not UTF-8"
        raise ApplicationError(what, where=where, hint="Save it again in Jupyter") from error
    language = _language(notebook)
    if language not in ("python", "ipython"):
        what = f"the notebook is written in {language}"
        raise ApplicationError(what, where=where, hint="Only notebooks in Python can be served")
    try:
        sources = list(_code(notebook))
    except (AttributeError, KeyError, TypeError) as error:
        what = "the file is JSON but not a notebook"
        raise ApplicationError(what, where=where, hint="Save it again in Jupyter") from error
    return [Cell(number, plain_python(source)) for number, source in enumerate(sources, start=1)]


def _language(notebook: Any) -> str:
    metadata = notebook.get("metadata") if isinstance(notebook, dict) else None
    if not isinstance(metadata, dict):
        return "python"
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        described = metadata.get(part)
        if isinstance(described, dict) and isinstance(described.get(key), str):
            return str(described[key]).lower()
    return "python"


def _code(notebook: Any) -> Iterator[str]:
    # Format 3 kept cells in worksheets and code under "input".
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    for sheet in sheets:
        for cell in sheet["cells"]:
            if cell["cell_type"] == "code":
                source = cell["source"] if "source" in cell else cell["input"]
                yield source if isinstance(source, str) else "".join(source)


def plain_python(source: str) -> str:
    """The cell as Python of the same number of lines, each line of IPython neutralized."""
    if _parses(source):
        return source
    lines = source.splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[first].lstrip().startswith("%%"):
        magic = lines[first].lstrip()[2:].split(maxsplit=1)
        body = "\n".join([*[""] * (first + 1), *lines[first + 1 :]])
        name = magic[0] if magic else ""
        plain = plain_python(body)
        # The body of an unknown magic may be Python or anything; it runs if it can.
        if name in _RUNNING_MAGICS or (name not in _FOREIGN_CELLS and _parses(plain)):
            return plain
        return "\n" * (len(lines) - 1)
    return "\n".join(_plain_lines(lines))


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _plain_lines(lines: list[str]) -> Iterator[str]:
    """Each line, those of IPython at the start of a statement replaced."""
    scanner = _Scanner()
    magic_goes_on = False
    for line in lines:
        if magic_goes_on:
            magic_goes_on = line.rstrip().endswith("\\")
            yield ""
            continue
        plain = _plain_line(line) if scanner.at_statement else line
        magic_goes_on = plain != line and line.rstrip().endswith("\\")
        scanner.feed(plain)
        yield plain


def _plain_line(line: str) -> str:
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    if _HELP.match(line):
        return f"{indent}pass"
    if text.startswith("!"):
        return f"{indent}pass"
    if text.startswith("%"):
        name, _, rest = text.lstrip("%").partition(" ")
        while name in _RUNNING_MAGICS and (option := _OPTION.match(rest.lstrip())):
            rest = rest.lstrip()[option.end() :]
        return f"{indent}{rest.strip() if name in _RUNNING_MAGICS and rest.strip() else 'pass'}"
    if assigned := _ASSIGNED_MAGIC.match(text):
        # A shell command gives its lines, most other magics give nothing.
        return f"{indent}{assigned['target']}{'[]' if assigned['sign'] == '!' else 'None'}"
    return line


class _Scanner:
    """Tells whether the next line starts a statement: not in a string, in brackets or after a backslash."""

    _TOKEN = re.compile(r"'''|\"\"\"|'|\"|#|\\.|\\$|[(\[{]|[)\]}]", re.DOTALL)

    def __init__(self) -> None:
        self._quote: str | None = None
        self._depth = 0
        self._continued = False

    @property
    def at_statement(self) -> bool:
        return self._quote is None and self._depth == 0 and not self._continued

    def feed(self, line: str) -> None:
        self._continued = False
        for match in self._TOKEN.finditer(line):
            token = match[0]
            if token == "\\":
                self._continued = True
            elif self._quote is not None:
                self._in_string(token)
            elif token == "#":
                return
            elif token[0] in "'\"":
                self._quote = token
            elif token in "([{":
                self._depth += 1
            elif token in ")]}":
                self._depth = max(0, self._depth - 1)
        if self._quote is not None and len(self._quote) == 1 and not self._continued:
            # A string in single quotes that does not end is an error which Python will report.
            self._quote = None

    def _in_string(self, token: str) -> None:
        assert self._quote is not None
        if token.startswith(self._quote):
            # Three quotes end a string in one quote at the first of them; the rest is an empty string.
            self._quote = None


class _NoShell:
    """In place of IPython's shell: has every method, and none does anything."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def notebook_names() -> dict[str, Any]:
    """The names that IPython adds to a notebook, doing nothing: `display` and `get_ipython`."""
    return {"display": lambda *args, **kwargs: None, "get_ipython": _NoShell}
