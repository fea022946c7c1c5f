"""Fixtures for every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest


def pytest_configure() -> None:
    """Take Ctrl-C as a terminal would have it: a shell has its background jobs, and their children, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the guests for the end: a library such as Panel, once imported, adds to every page of the process."""
    items.sort(key=lambda item: "/unit/guests/" in item.path.as_posix())


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """A stack for `running_server` and `running_process`: what is entered here ends after the test, pages first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """A container engine, brought up where there is none; its base image is `debian:trixie-slim`."""
    from tests.support.engine import running_engine
    from tools.engine import base_image

    with running_engine():
        base_image()
        yield
