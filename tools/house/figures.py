"""How large the packages, the modules and the functions are."""

from __future__ import annotations

import ast
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tools.house.sources import Fault, Source

COMPLEX = 10
"""A function with more branches than this is complex."""

LONG_MODULE = 300
"""A module with more lines than this is long."""


@dataclass(frozen=True)
class Function:
    """A function or method: where it is, its lines with the docstring, and its complexity (McCabe, as ruff's C901)."""

    path: str
    line: int
    name: str
    lines: int
    complexity: int


@dataclass(frozen=True)
class Figures:
    """The measured figures."""

    files_in_folder: Mapping[str, int]
    long_modules: Mapping[str, int]
    function_count: int
    median_lines: float
    p95_lines: int
    complex_functions: Sequence[Function]

    @property
    def complex_percent(self) -> float:
        """The share of functions that are complex."""
        return 100 * len(self.complex_functions) / max(1, self.function_count)


def measure(sources: Sequence[Source]) -> Figures:
    """The figures of these files; `__init__.py` is no file of its folder."""
    folders = Counter(str(PurePosixPath(each.path).parent) for each in sources if not _is_package(each))
    found = [function for source in sources for function in functions(source)]
    lengths = sorted(function.lines for function in found) or [0]
    return Figures(
        files_in_folder=folders,
        long_modules={each.path: each.line_count for each in sources if each.line_count > LONG_MODULE},
        function_count=len(found),
        median_lines=statistics.median(lengths),
        p95_lines=lengths[int(0.95 * (len(lengths) - 1))],
        complex_functions=[function for function in found if function.complexity > COMPLEX],
    )


def functions(source: Source) -> Iterator[Function]:
    """The functions of a file, including nested ones."""
    for node in source.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Function(source.path, node.lineno, node.name, lines, complexity(node))


def complexity(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """One, and one more for each branch, loop, handler, case, and nested function."""
    branches = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.FunctionDef, ast.AsyncFunctionDef)
    inside = [node for statement in function.body for node in ast.walk(statement)]
    found = sum(isinstance(node, branches) for node in inside)
    found += sum(bool(node.orelse) for node in inside if isinstance(node, (ast.For, ast.AsyncFor, ast.While, ast.Try)))
    return 1 + found + sum(_cases(node) for node in inside if isinstance(node, ast.Match))


def _cases(match: ast.Match) -> int:
    """The cases that test something; one that matches everything does not."""
    last = match.cases[-1]
    irrefutable = last.guard is None and isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    return len(match.cases) - irrefutable


def above(figures: Figures, limits: Mapping[str, Any]) -> list[Fault]:
    """A fault for each figure above its limit."""
    faults = [
        Fault(folder, None, f"{count} files in a folder; {limits['files-in-folder']} are allowed")
        for folder, count in figures.files_in_folder.items()
        if count > limits["files-in-folder"]
    ]
    of_all = (
        (len(figures.long_modules), "long-modules", f"modules over {LONG_MODULE} lines"),
        (figures.median_lines, "function-lines-median", "lines in the median function"),
        (figures.p95_lines, "function-lines-p95", "lines in the 95th percentile of functions"),
        (round(figures.complex_percent, 2), "complex-percent", f"percent of functions with complexity over {COMPLEX}"),
    )
    faults += [
        Fault("app_server", None, f"{value:g} {what}; {limits[key]} are allowed")
        for value, key, what in of_all
        if value > limits[key]
    ]
    return faults


def report(figures: Figures) -> str:
    """The figures as text."""
    folders = sorted(figures.files_in_folder.items(), key=lambda item: -item[1])
    lines = [
        f"functions: {figures.function_count}, median {figures.median_lines:g} lines, p95 {figures.p95_lines} lines",
        f"complexity over {COMPLEX}: {len(figures.complex_functions)} ({figures.complex_percent:.2f} %)",
        *(f"  {each.path}:{each.line} {each.name} {each.complexity}" for each in figures.complex_functions),
        f"modules over {LONG_MODULE} lines: {len(figures.long_modules)}",
        *(f"  {path} {count}" for path, count in sorted(figures.long_modules.items(), key=lambda item: -item[1])),
        f"files in a folder: at most {folders[0][1] if folders else 0}",
        *(f"  {folder} {count}" for folder, count in folders if count > 10),
    ]
    return "\n".join(lines)


def _is_package(source: Source) -> bool:
    return source.path.endswith("/__init__.py")
