from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.document import Document

from tests.unit.apps.making import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files below the test's folder, given as a mapping of paths to texts; return the folder."""

    def write_files(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write_files


@pytest.fixture
def document() -> Iterator[Document]:
    document = Document()
    yield document
    for module in document.modules._modules:
        sys.modules.pop(module.__name__, None)


@pytest.fixture(autouse=True)
def forget_modules(tmp_path: Path) -> Iterator[None]:
    """Helper modules of one test are no business of the next."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]
