"""How workers share the compiling of test modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.sharing import import_share, modules_below


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three modules of tests, one of which cannot be imported, and one that is in no package."""
    for name in ("shared_tests", "shared_tests/unit"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "shared_tests/unit/test_a.py").touch()
    (tmp_path / "shared_tests/unit/test_b.py").write_text("import pytest\npytest.skip(allow_module_level=True)\n")
    (tmp_path / "shared_tests/unit/test_c.py").touch()
    (tmp_path / "shared_tests/unit/helper.py").touch()
    (tmp_path / "shared_tests/alone").mkdir()
    (tmp_path / "shared_tests/alone/test_d.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_each_worker_imports_its_share_and_all_together_import_everything(root: Path) -> None:
    modules = list(modules_below(root, ["shared_tests"]))
    assert modules == [f"shared_tests.unit.test_{name}" for name in "abc"]
    imported = []
    for worker in range(2):
        import_share(modules, worker, 2)
        imported.append([name for name in modules if sys.modules.pop(name, None)])
    assert imported == [["shared_tests.unit.test_a", "shared_tests.unit.test_c"], []]  # that one asked to be skipped


def test_run_of_named_tests_shares_nothing(root: Path) -> None:
    assert list(modules_below(root, ["shared_tests/unit/test_a.py", "shared_tests/unit/test_a.py::test_b"])) == []
    assert list(modules_below(root, ["shared_tests/alone", "missing"])) == []
