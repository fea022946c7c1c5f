"""Folders, modules and functions are measured, and what is above its limit is a fault."""

from __future__ import annotations

import ast
import textwrap

import pytest

from tools.house.figures import Figures, above, complexity, measure, report
from tools.house.sources import Source

LIMITS = {
    "files-in-folder": 2, "long-modules": 0, "function-lines-median": 3, "function-lines-p95": 5, "complex-percent": 50,
}  # fmt: skip


def source(name: str, text: str = "") -> Source:
    """A file of the package."""
    return Source(f"app_server/{name}.py", textwrap.dedent(text))


def function(lines: int, name: str = "f") -> str:
    """A function of so many lines."""
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


def faults(figures: Figures) -> list[str]:
    """What is above the limits."""
    return [str(fault) for fault in above(figures, LIMITS)]


def test_small_tree_is_below_all_limits() -> None:
    assert faults(measure([source("a", function(3)), source("b"), source("room/c"), source("room/__init__")])) == []
    assert faults(measure([])) == []


def test_too_many_files_in_a_folder_are_a_fault() -> None:
    figures = measure([source(f"room/{name}") for name in ("a", "b", "c", "__init__")])
    assert faults(figures) == ["app_server/room: 3 files in a folder; 2 are allowed"]


def test_long_module_is_a_fault() -> None:
    assert faults(measure([source("a", "\n" * 300)])) == []
    assert faults(measure([source("a", "\n" * 301)])) == ["app_server: 1 modules over 300 lines; 0 are allowed"]


def test_functions_that_are_long_as_a_rule_are_a_fault() -> None:
    figures = measure([source("a", function(4) + function(4) + function(9))])
    assert (figures.median_lines, figures.p95_lines, figures.function_count) == (4, 4, 3)
    assert faults(figures) == ["app_server: 4 lines in the median function; 3 are allowed"]


def test_long_functions_are_a_fault() -> None:
    figures = measure([source("a", function(2) * 15 + function(9) * 5)])
    assert faults(figures) == ["app_server: 9 lines in the 95th percentile of functions; 5 are allowed"]


def test_functions_within_classes_and_functions_are_measured() -> None:
    text = """
    class A:
        async def b(self):
            def c():
                pass
    """
    assert measure([source("a", text)]).function_count == 2


def test_complex_functions_are_a_fault() -> None:
    branches = "def f():\n" + "    if a: pass\n" * 10
    figures = measure([source("a", branches)])
    assert [(each.name, each.complexity) for each in figures.complex_functions] == [("f", 11)]
    assert "app_server: 100 percent of functions with complexity over 10; 50 are allowed" in faults(figures)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 1", 1),
        ("if a: b\nelif c: d\nelse: e", 3),
        ("for a in b: c\nelse: d", 3),
        ("while a: b", 2),
        ("try: a\nexcept B: c\nexcept D: e", 3),
        ("with a: b", 1),
        ("match a:\n    case 1: b\n    case 2: c", 3),
        ("match a:\n    case 1: b\n    case _: c", 2),
        ("def inner():\n    if a: b", 3),
        ("return [a for a in b if a or c]", 1),
    ],
)
def test_complexity_is_that_of_mccabe(body: str, expected: int) -> None:
    tree = ast.parse("def f():\n" + textwrap.indent(body, "    "))
    [found] = tree.body
    assert isinstance(found, ast.FunctionDef)
    assert complexity(found) == expected


def test_report_names_what_is_large() -> None:
    figures = measure([source("a", "\n" * 400), source("b", "def f():\n" + "    if a: pass\n" * 10)])
    assert report(figures) == textwrap.dedent("""\
        functions: 1, median 11 lines, p95 11 lines
        complexity over 10: 1 (100.00 %)
          app_server/b.py:1 f 11
        modules over 300 lines: 1
          app_server/a.py 400
        files in a folder: at most 2""")
