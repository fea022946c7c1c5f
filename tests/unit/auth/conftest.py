"""Fixtures for the tests of this folder: Unix sockets below `tmp_path`, and an application for two users."""

from __future__ import annotations

from tests.support.short_paths import runtime_dir, tmp_path
from tests.unit.auth.two_users import state, users

__all__ = ["runtime_dir", "state", "tmp_path", "users"]
