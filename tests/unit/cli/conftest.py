"""Fixtures for the tests of commands: where they run, and where they look for servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an application and a deployment."""
    monkeypatch.chdir(tmp_path)
    code = "from bokeh.plotting import curdoc\nimport sys, nowhere_to_be_found\ncurdoc()\n"
    (tmp_path / "myapp.py").write_text(code, encoding="utf-8")
    (tmp_path / "deploy.yaml").write_text("apps:\n  myapp: myapp.py\npublic: foo.com\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def runtime_base() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder for servers, whose path is short enough for sockets, and the environment that names it."""
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        yield Path(name), {"APP_SERVER_RUNTIME_DIR": name}
