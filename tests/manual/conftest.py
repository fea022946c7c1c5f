"""What the pages of the manual share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.containers.images import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of app-server; the page about its installation makes it of the clone itself."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*words, folder, ROOT], check=True)
    return next(folder.glob("*.whl"))
