"""Hosts as a test needs them, and time for whole runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.ansible import pair
from tests.support.hosts.kept import claimed_place
from tests.support.hosts.playbooks import SUITE, Site
from tests.support.hosts.staging import Stage

# Each of the first tests waits for an image, wheels or a whole run over two bare hosts.
TIMEOUT_S = 2400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time for whole runs."""
    for item in items:
        if "/tests/ansible/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="module")
def stage(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage[Site]]:
    """Two hosts for a deployment of three instances on each; a file of tests may have a stage of its own."""
    with claimed_place(("one", "two"), SUITE) as place:
        made = Stage(
            place, lambda: tmp_path_factory.mktemp("site") / "site",
            partial(pair.deployment, place), pair.install, pair.wait_until_served,
        )  # fmt: skip
        yield made
        made.spend()


@pytest.fixture
def careful(stage: Stage[Any], request: pytest.FixtureRequest) -> Iterator[Stage[Any]]:
    """The stage; its hosts go when the test has failed, so the next one does not find what that has left."""
    failed = request.session.testsfailed
    yield stage
    if request.session.testsfailed > failed:
        stage.spend()


@pytest.fixture
def bare(careful: Stage[Any]) -> Any:
    """The deployment, packed; nothing of it is on the hosts."""
    return careful.bare()


@pytest.fixture
def untouched(careful: Stage[Any]) -> Any:
    """The deployment on its hosts, as the first run has left it."""
    return careful.installed()


@pytest.fixture
def installed(careful: Stage[Any]) -> Any:
    """The deployment on its hosts, which serves; other tests may have had their releases there."""
    return careful.serving()


@pytest.fixture
def ending(careful: Stage[Any]) -> Any:
    """The deployment on its hosts, which no other test has after this one."""
    deployment = careful.serving()
    careful.begin()
    return deployment
