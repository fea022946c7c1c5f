"""A source file that is compiled once: what is read of it before it runs, and what its runs share."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from app_server.apps.faults import CodePlace
from app_server.apps.scripts.program import Program, new_module_name, read_program, read_source
from app_server.errors import ApplicationError, OperatorError
from tests.unit.apps.making import MENDED, Write, notebook


def program(folder: Path, name: str = "app.py") -> Program:
    """The program of a file, which errors call `shown/NAME`."""
    return read_program(folder / name, CodePlace(folder, "shown", str(folder / name)))


def ran(read: Program) -> dict[str, object]:
    """The names of a module after a run."""
    module = read.new_module()
    read.run(module)
    return vars(module)


def fault(folder: Path, name: str = "app.py") -> str:
    """What is said of a file that is no program."""
    with pytest.raises((ApplicationError, OperatorError)) as caught:
        program(folder, name)
    return str(caught.value)


def test_docstring_is_a_scripts_and_not_a_notebooks(write: Write) -> None:
    folder = write({"app.py": '"""About it.\n\nMore."""\n', "n.ipynb": notebook('"""A cell."""'), "e.py": ""})
    assert program(folder).docstring == "About it.\n\nMore."
    assert program(folder, "n.ipynb").docstring == program(folder, "e.py").docstring == ""


def test_each_run_begins_with_an_empty_module(write: Write) -> None:
    read = program(write({"app.py": "seen = 'seen' in dir()\nthings = []\n"}))
    first, second = ran(read), ran(read)
    assert not first["seen"] and not second["seen"]
    assert first["things"] is not second["things"]
    assert first["__name__"] != second["__name__"]
    assert first["__file__"] == str(read.path)


def test_names_of_modules_are_never_given_twice() -> None:
    names = {new_module_name() for _ in range(1000)}
    assert len(names) == 1000 and all(name.startswith("bokeh_app_") and name.isidentifier() for name in names)


def test_cells_share_their_names_and_later_ones_win(write: Write) -> None:
    found = ran(program(write({"n.ipynb": notebook("a = 1\nb = 1", "b = a + 1")}), "n.ipynb"))
    assert (found["a"], found["b"]) == (1, 2)


def test_future_import_of_a_cell_holds_in_the_cells_after_it(write: Write) -> None:
    cells = notebook("def f(a: int): ...", "from __future__ import annotations", "def g(a: int): ...")
    found = ran(program(write({"n.ipynb": cells}), "n.ipynb"))
    assert found["f"].__annotations__ == {"a": int}  # type: ignore[attr-defined]
    assert found["g"].__annotations__ == {"a": "int"}  # type: ignore[attr-defined]


def test_traceback_of_a_cell_shows_its_line(write: Write) -> None:
    read = program(write({"n.ipynb": notebook("a = 1", "b = 2\n1 / 0  # here")}), "n.ipynb")
    with pytest.raises(ZeroDivisionError) as caught:
        ran(read)
    trace = "".join(traceback.format_exception(caught.value))
    assert f'File "{read.path}:cell 2", line 2' in trace and "1 / 0  # here" in trace


@pytest.mark.parametrize("word", ["none", "process", "snapshot"])
def test_isolation_is_read_and_not_run(write: Write, word: str) -> None:
    assert program(write({"app.py": f"raise SystemExit\n__isolation__ = {word!r}\n"})).isolation == word
    assert program(write({"n.ipynb": notebook("1", f"__isolation__ = {word!r}")}), "n.ipynb").isolation == word


@pytest.mark.parametrize(
    "source",
    ["", "x = __isolation__ = 'process'\n", "def f():\n    __isolation__ = 'process'\n", "__isolation__: str\n"],
)
def test_isolation_is_only_a_line_of_its_own(write: Write, source: str) -> None:
    assert program(write({"app.py": source})).isolation is None


@pytest.mark.parametrize("value", ["'proces'", "'PROCESS'", "None", "''", "1", "mode", "'pro' + 'cess'"])
def test_isolation_that_there_is_not(write: Write, value: str) -> None:
    assert fault(write({"app.py": f"import os\n\n__isolation__ = {value}\n"})) == (
        f"shown/app.py:3: __isolation__ is {value}. Write one of 'none', 'process', 'snapshot'"
    )


@pytest.mark.parametrize("word", ["inputs", "values", "off"])
def test_what_saved_sessions_get_back_is_read_and_not_run(write: Write, word: str) -> None:
    assert program(write({"app.py": f"raise SystemExit\n__restore__ = {word!r}\n"})).restore == word
    assert program(write({"n.ipynb": notebook("1", f"__restore__ = {word!r}")}), "n.ipynb").restore == word


def test_restore_is_none_unless_a_line_of_its_own_says_it(write: Write) -> None:
    assert program(write({"app.py": "__isolation__ = 'none'\n\ndef f():\n    __restore__ = 'off'\n"})).restore is None


@pytest.mark.parametrize("value", ["'input'", "None", "True", "'process'"])
def test_restore_that_there_is_not(write: Write, value: str) -> None:
    assert fault(write({"app.py": f"import os\n\n__restore__ = {value}\n"})) == (
        f"shown/app.py:3: __restore__ is {value}. Write one of 'inputs', 'values', 'off'"
    )


def test_file_that_does_not_parse_is_named_with_its_line(write: Write) -> None:
    assert fault(write({"app.py": "a = 1\nb = = 2\n"})) == f"shown/app.py:2: SyntaxError: invalid syntax. {MENDED}"


def test_cell_that_does_not_parse_is_named_with_its_line(write: Write) -> None:
    found = fault(write({"n.ipynb": notebook("a = 1", "b = 2\nc = = 3")}), "n.ipynb")
    assert found == f"shown/n.ipynb:cell 2:2: SyntaxError: invalid syntax. {MENDED}"


@pytest.mark.parametrize(
    ("content", "title"),
    [("\ufefftitle = 'ä'\n".encode(), "ä"), ("# coding: latin-1\ntitle = 'ä'\n".encode("latin-1"), "ä")],
)
def test_marks_of_an_encoding_are_obeyed(tmp_path: Path, content: bytes, title: str) -> None:
    (tmp_path / "app.py").write_bytes(content)
    assert ran(program(tmp_path))["title"] == title


def test_file_that_is_not_there_or_not_readable_is_the_operators_matter(tmp_path: Path) -> None:
    place = CodePlace(tmp_path, "shown", "")
    for name, why in (("gone.py", "No such file or directory"), ("folder.py", "Is a directory")):
        (tmp_path / "folder.py").mkdir(exist_ok=True)
        with pytest.raises(OperatorError) as caught:
            read_source(tmp_path / name, place)
        hint = "Give the server's user permission to read it"
        assert str(caught.value) == f"shown/{name}: the file cannot be read: {why}. {hint}"


def test_reading_leaves_no_module_behind(write: Write) -> None:
    before = set(sys.modules)
    ran(program(write({"app.py": "a = 1\n"})))
    assert set(sys.modules) == before


def test_markdown_runs_its_blocks_and_names_its_lines(write: Write) -> None:
    text = "# About it\n\n```python\nx = 1\n```\n\nText\n\n```python\ny = x / 0\n```\n"
    read = program(write({"a.md": text}), "a.md")
    assert read.docstring == "About it"
    with pytest.raises(ZeroDivisionError) as caught:
        ran(read)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].lineno == 10


def test_markdown_without_python_is_refused(write: Write) -> None:
    folder = write({"a.md": "# Only a text\n", "b.md": "```python\nx =\n```\n"})
    assert fault(folder, "a.md") == "shown/a.md: has no Python to run. Begin a block of code with ```python"
    assert fault(folder, "b.md").startswith("shown/b.md:2: SyntaxError: invalid syntax.")


def test_markdown_that_is_not_utf_8_is_refused(write: Write) -> None:
    folder = write({})
    (folder / "a.md").write_bytes(b"\xe4\n```python\n```\n")
    assert fault(folder, "a.md") == "shown/a.md: the file is not UTF-8. Save it as UTF-8"
