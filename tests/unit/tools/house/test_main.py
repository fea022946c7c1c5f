"""The command says each fault of a tree on a line, and its exit status whether there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.house.__main__ import main

LIMITS = """
[tool.app-server.house]
files-in-folder = 12
long-modules = 0
function-lines-median = 6
function-lines-p95 = 25
complex-percent = 2
marker-words = 1
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with a file, nothing that is wrong, and one marker word, which is allowed."""
    write(tmp_path, "pyproject.toml", LIMITS)
    write(tmp_path, "tools/house/assignments.toml", "")
    write(tmp_path, "app_server/a.py", '"""What it counts."""\n')
    return tmp_path


def write(tree: Path, path: str, text: str) -> None:
    """Put a file into the tree."""
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text, encoding="utf-8")


def test_tree_without_a_fault(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tree) == 0
    assert capsys.readouterr().out == "1 files are as the house wants them\n"


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("app_server/b.py", "import app_server.b", "app_server/b.py:1: files import each other: "),
        ("app_server/b.py", "def f(x): x.y = 1", "app_server/b.py:1: x.y is assigned from outside its class; "),
        ("app_server/b.py", "\n" * 301, "app_server: 1 modules over 300 lines; 0 are allowed"),
        ("docs/b.md", "anew", "pyproject.toml: 2 marker words (counts 1, anew 1); 1 are allowed"),
        ("tests/b.py", "Zygote", "tests/b.py:1: Zygote is called fork server now"),
    ],
)
def test_fault_of_each_kind(path: str, text: str, fault: str, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree, path, text)
    assert main([], tree) == 1
    assert fault in capsys.readouterr().out


def test_figures_are_printed_when_asked_for(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--figures"], tree) == 0
    printed = capsys.readouterr().out
    assert "functions: 0, median 0 lines, p95 0 lines\n" in printed
    assert "marker words: 1 (counts 1)\n" in printed


def test_marker_words_below_the_ceiling_are_printed_when_asked_for(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--words"], tree)
    assert 'app_server/a.py:1: "counts": say applies, takes effect\n' in capsys.readouterr().out
