"""The Python files of a folder, each read and parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property

PACKAGE = "app_server"


@dataclass(frozen=True)
class Source:
    """A Python file: its path below the project with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file. SyntaxError if it is not Python."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @property
    def module(self) -> str:
        """The dotted name by which others import it."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def line_count(self) -> int:
        """Lines of the file."""
        return len(self.text.splitlines())


@dataclass(frozen=True)
class Fault:
    """Something that is not allowed: its place and its description."""

    path: str
    line: int | None
    text: str

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.text}"
