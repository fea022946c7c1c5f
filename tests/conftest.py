"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """A stack for `running_server` and `running_process`: what is entered here ends after the test, pages first."""
    with ExitStack() as stack:
        yield stack
