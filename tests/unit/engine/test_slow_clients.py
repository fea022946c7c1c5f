"""What is logged about clients that read too slowly."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.support.servers.stage import Stage, staged
from tests.unit.engine.streams import MB, fill, replace


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill) as played:
        yield played


def test_log_says_once_that_a_client_is_slow_and_when_it_has_caught_up(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    line = stage.view(1 * MB)
    stage.view(1 * MB)
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(10)
    said = [record.getMessage() for record in caplog.records if "192.0.2.1" in record.getMessage()]
    assert len(said) == 2 and all("reads more slowly than the application sends" in words for words in said)
    line.bytes_per_s = 1e9
    stage.loop.run_for(15)
    said = [record.getMessage() for record in caplog.records if "keeps up again" in record.getMessage()]
    assert len(said) == 1


def test_log_is_silent_about_a_client_that_was_late_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    line = stage.view()
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(5)
    line.bytes_per_s = 0.5 * MB
    stage.loop.run_for(0.3)
    line.bytes_per_s = 1e9
    stage.loop.run_for(10)
    assert not [record for record in caplog.records if "192.0.2.1" in record.getMessage()]
