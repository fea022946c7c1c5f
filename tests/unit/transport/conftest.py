"""Fixtures for the tests of this folder: they make Unix sockets below `tmp_path`."""

from __future__ import annotations

from tests.support.short_paths import place, tmp_path

__all__ = ["place", "tmp_path"]
