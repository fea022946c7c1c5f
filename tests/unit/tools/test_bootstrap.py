"""Which Python makes an environment, and when it is made again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.tools import tool


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool on a machine without any Python but this one and those below `versions`, some of which are tested."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    found = tool("bootstrap")
    monkeypatch.setattr(found.shutil, "which", lambda name: None)
    monkeypatch.setattr(found, "OLDEST", (3, 40))
    monkeypatch.setattr(found, "NEWEST", (3, 43))
    return found


def add_python(folder: Path, version: str, status: int = 0) -> Path:
    """A program in pyenv's folder that says how it was called, in the file `called` beside it."""
    program = folder / "versions" / version / "bin" / f"python{version.rpartition('.')[0]}"
    program.parent.mkdir(parents=True)
    script = f'#!/bin/sh\n[ "$1" = -c ] && exit {status}\necho "$APP_SERVER_VENV $2 $3" >"$0.called"\n'
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    return program


def called(program: Path) -> str:
    """Which environment this Python was to make, from which lock."""
    return Path(f"{program}.called").read_text(encoding="utf-8").strip()


def run(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status with these arguments."""
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", *words])
    status: int = bootstrap.main()
    return status


def test_newest_tested_python_makes_the_environment_and_the_oldest_the_second_one(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_python(tmp_path, "3.39.9")
    oldest = add_python(tmp_path, "3.40.7")
    newest = add_python(tmp_path, "3.42.1")
    add_python(tmp_path, "3.43.0", status=1)  # one that makes no environments
    add_python(tmp_path, "3.44.0")
    monkeypatch.setattr(bootstrap, "is_current", lambda *about: False)
    assert run(bootstrap, monkeypatch, "run") == 0
    assert called(newest) == "run this"
    assert run(bootstrap, monkeypatch, "oldest") == 0
    assert called(oldest) == ".venv-oldest test this"


def test_python_in_path_is_found_before_those_that_pyenv_keeps(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_python(tmp_path, "3.43.0")
    program = add_python(tmp_path / "elsewhere", "3.43.0")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: str(program) if name == program.name else None)
    assert bootstrap.newest_python() == str(program)


def test_python_of_threads_without_a_lock_is_left_alone(bootstrap: ModuleType, tmp_path: Path) -> None:
    add_python(tmp_path, "3.43.0t")
    assert bootstrap.newest_python() == bootstrap.oldest_python() == sys.executable


def test_environment_is_made_once_for_each_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap = tool("bootstrap")
    for path in ("requirements/run.txt", "requirements/test.txt", "pyproject.toml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    installs: list[str] = []
    (tmp_path / "venv").mkdir()
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.setattr(bootstrap, "STAMP", str(tmp_path / "venv" / "stamp"))
    monkeypatch.setattr(bootstrap, "venv_python", lambda: sys.executable)
    monkeypatch.setattr(bootstrap, "install", lambda lock: installs.append(os.path.basename(lock)))

    def make(lock: str, *how: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["bootstrap.py", lock, *(how or ("this",))])
        installs.clear()
        assert bootstrap.main() == 0
        return installs

    assert make("run") == ["run.txt"]
    assert make("run") == []
    assert make("test") == ["test.txt"]
    assert make("run") == [], "the tests' lock holds all that running needs"
    (tmp_path / "pyproject.toml").write_text("# changed", encoding="utf-8")
    assert make("run") == ["run.txt"]


def test_environment_of_another_python_stays_unless_this_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = tool("bootstrap")
    monkeypatch.setattr(bootstrap, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(bootstrap, "venv_python", lambda: sys.executable)
    (tmp_path / "stamp").write_text("test\nwanted\n3.12.1 (main,\nof a distribution)", encoding="utf-8")
    assert bootstrap.is_current("run", "wanted", None)
    assert bootstrap.is_current("run", "wanted", "3.12.1 (main,\nof a distribution)")
    assert not bootstrap.is_current("run", "wanted", "3.11.7 (main)")
    assert not bootstrap.is_current("run", "other", None)
    (tmp_path / "stamp").write_text("test wanted 3.12.1", encoding="utf-8")
    assert not bootstrap.is_current("run", "wanted", None)


def test_old_python_is_told_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bootstrap = tool("bootstrap")
    monkeypatch.setattr(bootstrap, "OLDEST", (3, 99))
    monkeypatch.setattr(bootstrap, "fingerprint", lambda: "none")
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "run", "this"])
    assert bootstrap.main() == 1
    assert capsys.readouterr().err.startswith("bootstrap: app-server needs Python 3.99 or newer, and ")


def test_python_without_venv_is_told_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap = tool("bootstrap")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/apt-get")
    assert bootstrap.install_venv_package("run") is False
    assert capsys.readouterr().err == (
        "bootstrap: this Python cannot create virtual environments. To fix it: "
        f"apt-get install python3.{sys.version_info[1]}-venv\n"
    )
