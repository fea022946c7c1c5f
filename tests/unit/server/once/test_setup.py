"""The file of `--setup`: it runs before the applications, once, and its faults are those of its author."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.errors import ApplicationError
from app_server.server.once.setup import MODULE, check_setup, set_up
from app_server.settings import Settings


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    for name in (MODULE, "beside_the_setup"):
        sys.modules.pop(name, None)


def written(folder: Path, text: str) -> Settings:
    """The settings that name a setup file with this text."""
    file = folder / "setup.py"
    file.write_text(text, encoding="utf-8")
    return Settings(setup=str(file))


def test_setup_runs_as_a_module_that_stays(tmp_path: Path) -> None:
    set_up(written(tmp_path, "made = []\ndef report():\n    made.append(__name__)\n"), [])
    module = sys.modules[MODULE]
    module.report()
    assert module.made == [MODULE]
    assert module.__file__ == str(tmp_path / "setup.py")


def test_setup_imports_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_the_setup.py").write_text("value = 7\n")
    before = list(sys.path)
    set_up(written(tmp_path, "from beside_the_setup import value\n"), [])
    assert sys.modules[MODULE].value == 7
    assert sys.path == before


def test_setup_that_does_not_parse_is_refused_before_it_runs(tmp_path: Path) -> None:
    settings = written(tmp_path, "raise SystemExit(3)\nx =\n")
    with pytest.raises(ApplicationError) as caught:
        check_setup(settings)
    assert str(caught.value).startswith(f"{tmp_path}/setup.py:2: SyntaxError: invalid syntax")


def test_fault_of_the_setup_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as caught:
        set_up(written(tmp_path, "x = 1\nx / 0\n"), [])
    assert str(caught.value).startswith(f"{tmp_path}/setup.py:2: ZeroDivisionError: division by zero")


def test_setup_that_exits_is_at_fault(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match=r"setup\.py:1: the application called sys\.exit\(3\)"):
        set_up(written(tmp_path, "raise SystemExit(3)\n"), [])


def test_nothing_is_done_without_a_setup() -> None:
    check_setup(Settings())
    set_up(Settings(), [])
    assert MODULE not in sys.modules
