"""What sources import, read from their syntax."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.sources.imports import ImportedName, Sources, imported_names, read_sources, tree_files


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import a, b.c", [(("a",), 0), (("b", "c"), 0)]),
        ("from a.b import c, d", [(("a", "b", "c"), 0), (("a", "b", "d"), 0)]),
        ("from . import a", [(("a",), 1)]),
        ("from ..a import b", [(("a", "b"), 2)]),
        ("def f():\n    if x:\n        import a", [(("a",), 0)]),
        ("x = 'import a'", []),
    ],
)
def test_names_that_code_may_import(code: str, names: list[tuple[tuple[str, ...], int]]) -> None:
    assert [(name.parts, name.level) for name in imported_names(ast.parse(code))] == names


def test_imports_are_followed_through_the_modules_beside(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import numpy\nfrom package import part\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "part.py").write_text("this is not Python")
    main = tmp_path / "main.py"
    assert read_sources({main: [ImportedName(("helper",)), ImportedName(("yaml",))]}, tmp_path) == Sources(
        imports=frozenset({"numpy", "yaml"}),
        modules=frozenset({"numpy", "yaml"}),
        helper_names=frozenset({"helper", "package"}),
        files=frozenset(
            {main, tmp_path / "helper.py", *(tmp_path / "package" / name for name in ("__init__.py", "part.py"))}
        ),
    )


def test_caches_environments_and_hidden_folders_are_not_watched(tmp_path: Path) -> None:
    for name in ("main.py", "a/b.css", "__pycache__/c.py", ".git/d.py", "venv/e.py", "node_modules/f.js", "g.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tree_files(tmp_path)] == ["main.py", "a/b.css"]


def test_sources_are_read_without_bokeh() -> None:
    code = "import sys; from app_server.sources import imports, notebook, routes; print('bokeh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
