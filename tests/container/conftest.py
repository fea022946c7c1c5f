"""Fixtures for tests that build images and run them with a real engine."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers.pages import Complaints, chromium, window
from tests.support.containers.engine import docker
from tests.support.containers.images import build

# The first run builds all images, and before them perhaps the engine's base image.
TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time to build."""
    for item in items:
        if "/tests/container/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def app_image(engine: None) -> str:
    """The image `app-server`, built from this tree; the engine's cache makes that quick."""
    return build("app-server")


@pytest.fixture
def name(engine: None) -> Iterator[str]:
    """A name for a container that is not taken; what bears it is removed after the test."""
    name = f"app-server-test-{uuid.uuid4().hex[:12]}"
    yield name
    docker("rm", "--force", "--volumes", name, check=False)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; `make test` sees to its being there."""
    with chromium() as started:
        yield started


@pytest.fixture
def complaints() -> Complaints:
    """What the test's page complains about; a test that expects complaints clears them before it ends."""
    return Complaints()


@pytest.fixture
def page(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    """A page in a context of its own; the test fails if the page complained."""
    with window(browser) as context:
        fresh = context.new_page()
        complaints.listen(fresh)
        yield fresh
    complaints.assert_none()
