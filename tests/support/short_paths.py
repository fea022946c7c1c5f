"""Folders for Unix sockets, whose paths may have about a hundred characters."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.processes.runtime_dir import RuntimeDir


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path, whatever the worker, the user and the test are called."""
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        path = Path(folder).resolve() / "p"  # below a folder that is this user's own too
        path.mkdir()
        yield path


@pytest.fixture
def runtime_dir(tmp_path: Path) -> RuntimeDir:
    """A server's runtime directory, below `tmp_path`."""
    return RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
