"""Which Python the second environment, with the newer minor of bokeh, is made by."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.tools import tool


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool on a machine without any Python but those below `versions`."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    found = tool("bootstrap")
    monkeypatch.setattr(found.shutil, "which", lambda name: None)
    return found


def add_python(folder: Path, version: str, status: int = 0) -> Path:
    """A program in pyenv's folder that says how it was called, in the file `called` beside it."""
    program = folder / "versions" / version / "bin" / f"python{version.rpartition('.')[0]}"
    program.parent.mkdir(parents=True)
    script = f'#!/bin/sh\n[ "$1" = -c ] && exit {status}\necho "$APP_SERVER_VENV $2" >"$0.called"\n'
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    return program


def test_second_environment_is_made_by_the_newest_python(bootstrap: ModuleType, tmp_path: Path) -> None:
    add_python(tmp_path, "3.11.7")
    add_python(tmp_path, "3.12.1")
    newest = add_python(tmp_path, "3.14.0")
    add_python(tmp_path, "3.15.0", status=1)  # one that does not run
    assert bootstrap.newest_python() == str(newest)
    assert bootstrap.build_next(None) == 0
    assert Path(f"{newest}.called").read_text(encoding="utf-8") == ".venv-next test\n"


def test_python_in_path_is_found_too(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = add_python(tmp_path / "elsewhere", "3.13.0")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: str(program) if name == program.name else None)
    assert bootstrap.newest_python() == str(program)


def test_named_python_makes_the_second_environment(bootstrap: ModuleType, tmp_path: Path) -> None:
    named = add_python(tmp_path, "3.12.1")
    add_python(tmp_path, "3.13.0")
    assert bootstrap.build_next(str(named)) == 0
    assert os.path.exists(f"{named}.called")


def test_without_a_newer_python_it_is_said_what_to_do(
    bootstrap: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_python(tmp_path, "3.11.7")
    assert bootstrap.build_next(None) == 1
    assert capsys.readouterr().err == (
        "bootstrap: the newest bokeh of the lock needs Python 3.12 or newer, and there is none. "
        "Install one, or name it with: make test-next NEXT_PYTHON=/path/to/python3\n"
    )
