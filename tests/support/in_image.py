"""The server as it is in an image, where it has no pip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app_server import version


def as_in_an_image(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the server find itself in an image; the folder is for the list of packages that only images have."""
    (folder / "list").touch()
    monkeypatch.setattr(version, "_IMAGE", sys.prefix)
    monkeypatch.setattr(version, "_IMAGE_LIST", str(folder / "list"))
