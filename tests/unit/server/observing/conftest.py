"""Fixtures for the tests of this folder: they make Unix sockets below `tmp_path`."""

from __future__ import annotations

from tests.support.short_paths import runtime_dir, tmp_path

__all__ = ["runtime_dir", "tmp_path"]
