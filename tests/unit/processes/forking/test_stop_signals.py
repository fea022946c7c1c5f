"""Signals that repeat a request to stop, and those of somebody who is impatient."""

from __future__ import annotations

import pytest

from app_server.processes.forking.stop_signals import REPEAT_S, Heard, StopSignals


@pytest.mark.parametrize(
    ("arrive_s", "heard"),
    [
        ([0.0], [Heard.FIRST]),
        ([0.0, 0.002], [Heard.FIRST, Heard.REPEAT]),
        ([5.0, 5.0, 5.0 + REPEAT_S / 2], [Heard.FIRST, Heard.REPEAT, Heard.REPEAT]),
        ([0.0, REPEAT_S], [Heard.FIRST, Heard.IMPATIENT]),
        ([0.0, 0.4, 0.8, 1.2], [Heard.FIRST, Heard.REPEAT, Heard.REPEAT, Heard.IMPATIENT]),
        ([0.0, 60.0, 60.001], [Heard.FIRST, Heard.IMPATIENT, Heard.IMPATIENT]),
    ],
)
def test_a_signal_is_impatient_when_it_comes_noticeably_after_the_first(
    arrive_s: list[float], heard: list[Heard]
) -> None:
    times = iter(arrive_s)
    signals = StopSignals(clock=lambda: next(times))
    assert [signals.hear() for _ in arrive_s] == heard
