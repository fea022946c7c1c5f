"""Fixtures for the tests of this folder: a session on a clock that skips, and the queue of its turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app_server.engine.turns.queue import TurnQueue
from tests.support.clock import SkippingLoop, skipping_loop
from tests.support.servers.stage import Stage, staged
from tests.unit.engine.making import Door, fill


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill) as played:
        yield played


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


@pytest.fixture
def queue(stage: Stage) -> TurnQueue:
    """Where the turns of the stage's session are taken."""
    return stage.queue


@pytest.fixture
def door(stage: Stage) -> Door:
    """A client of the stage's session."""
    found = Door(stage)
    stage.runtime.connect(stage.session, found.connection, found)
    return found
