"""Waiting for a condition that nothing announces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app_server.processes.polling import until
from tests.support.clock import SkippingLoop, skipping_loop


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


def test_condition_is_waited_for_until_it_holds(loop: SkippingLoop) -> None:
    looks = iter([False, False, True])
    begun_s = loop.time()
    assert loop.run_until_complete(until(lambda: next(looks), 10.0, 0.5))
    assert loop.time() - begun_s == 1.0


def test_condition_that_never_holds_is_given_up(loop: SkippingLoop) -> None:
    begun_s = loop.time()
    assert not loop.run_until_complete(until(lambda: False, 2.0, 0.5))
    assert loop.time() - begun_s == 2.0


def test_without_patience_there_is_one_look(loop: SkippingLoop) -> None:
    begun_s = loop.time()
    assert loop.run_until_complete(until(lambda: True, 0.0, 0.5))
    assert not loop.run_until_complete(until(lambda: False, 0.0, 0.5))
    assert loop.time() == begun_s
