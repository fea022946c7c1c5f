"""Fixtures for the tests of this folder: Unix sockets below `tmp_path`, and an application for two users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app_server.auth.shared_failures import failures_of_this_run
from app_server.auth.shared_tokens import tokens_of_this_run
from tests.support.short_paths import runtime_dir, tmp_path
from tests.unit.auth.two_users import state, users

__all__ = ["nothing_shared", "runtime_dir", "state", "tmp_path", "users"]


@pytest.fixture(autouse=True)
def nothing_shared() -> Iterator[None]:
    """What processes of one server share is made by whoever starts them; another test may have done so in this one."""
    failures_of_this_run.cache_clear()
    tokens_of_this_run.cache_clear()
    yield
    failures_of_this_run.cache_clear()
    tokens_of_this_run.cache_clear()
