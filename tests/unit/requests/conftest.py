"""Fixtures for the tests of this folder: Unix sockets below `tmp_path`, and two applications."""

from __future__ import annotations

from tests.support.short_paths import runtime_dir, tmp_path
from tests.unit.requests.applications import state

__all__ = ["runtime_dir", "state", "tmp_path"]
