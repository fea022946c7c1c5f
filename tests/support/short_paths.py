"""Folders for Unix sockets, whose paths may have about a hundred characters."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path, whatever the worker, the user and the test are called."""
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        path = Path(folder).resolve() / "p"  # below a folder that is this user's own too
        path.mkdir()
        yield path
