"""Fixtures for tests that build images and run them with a real engine."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.engine import docker
from tests.support.images import build


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
