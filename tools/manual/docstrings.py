"""Docstrings as Sphinx reads them: ours are written like Markdown, as editors show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def as_rest(lines: list[str]) -> list[str]:
    """The lines with code in double backticks, and indented blocks as literal ones."""
    return [_CODE.sub(r"``\1``", line) for line in _with_blocks(lines)]


def _with_blocks(lines: list[str]) -> Iterator[str]:
    """The lines; before each block that is indented by four after an empty line, what makes it literal."""
    before, inside = "", False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not inside and not before.strip():
            yield "::"
            yield ""
        if line.strip():
            inside = indented
        yield line
        before = line


def _convert(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rest(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _convert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
