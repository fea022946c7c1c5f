from __future__ import annotations

import pytest

from app_server.protocol.pace import Pace, Phase, Progress, Verdict

PACE = Pace(request_s=30, idle_s=75)


@pytest.mark.parametrize(
    ("progress", "late_s", "verdict"),
    [
        (Progress(Phase.OPENED, 0), 30, Verdict.CLOSE),
        (Progress(Phase.OPENED, 0, begun_s=29), 30, Verdict.TIMEOUT),
        (Progress(Phase.KEPT, 0), 75, Verdict.CLOSE),
        (Progress(Phase.KEPT, 0, begun_s=70), 100, Verdict.TIMEOUT),
        (Progress(Phase.BODY, 0), 30, Verdict.TIMEOUT),
        (Progress(Phase.BODY, 0, body_bytes=10 * 1024), 40, Verdict.TIMEOUT),
        (Progress(Phase.ANSWER, 0, stalled_s=10), 85, Verdict.CLOSE),
    ],
)
def test_what_takes_too_long_ends(progress: Progress, late_s: float, verdict: Verdict) -> None:
    assert PACE.judge(progress, late_s - 0.01) is Verdict.GOES_ON
    assert PACE.judge(progress, late_s) is verdict
    assert Pace(0, 0).judge(progress, 10**6) is Verdict.GOES_ON


def test_handler_that_thinks_is_not_hurried() -> None:
    assert PACE.judge(Progress(Phase.ANSWER, 0), 10**6) is Verdict.GOES_ON


def test_connections_are_looked_at_often_enough() -> None:
    assert Pace(30, 75).look_every_s == 1
    assert Pace(0.4, 75).look_every_s == 0.1
    assert Pace(0, 0).look_every_s == 1
