from __future__ import annotations

import pytest

from app_server.protocol.pace import Pace, PaceVerdict, Phase, Progress

PACE = Pace(request_s=30, idle_s=75)


@pytest.mark.parametrize(
    ("progress", "late_s", "verdict"),
    [
        (Progress(Phase.OPENED, 0), 30, PaceVerdict.CLOSE),
        (Progress(Phase.OPENED, 0, begun_s=29), 30, PaceVerdict.TIMEOUT),
        (Progress(Phase.KEPT, 0), 75, PaceVerdict.CLOSE),
        (Progress(Phase.KEPT, 0, begun_s=70), 100, PaceVerdict.TIMEOUT),
        (Progress(Phase.BODY, 0), 30, PaceVerdict.TIMEOUT),
        (Progress(Phase.BODY, 0, body_bytes=10 * 1024), 40, PaceVerdict.TIMEOUT),
        (Progress(Phase.ANSWER, 0, stalled_s=10), 85, PaceVerdict.CLOSE),
    ],
)
def test_what_takes_too_long_ends(progress: Progress, late_s: float, verdict: PaceVerdict) -> None:
    assert PACE.judge(progress, late_s - 0.01) is PaceVerdict.GOES_ON
    assert PACE.judge(progress, late_s) is verdict
    assert Pace(0, 0).judge(progress, 10**6) is PaceVerdict.GOES_ON


def test_handler_that_thinks_is_not_hurried() -> None:
    assert PACE.judge(Progress(Phase.ANSWER, 0), 10**6) is PaceVerdict.GOES_ON


def test_connections_are_looked_at_often_enough() -> None:
    assert Pace(30, 75).look_every_s == 1
    assert Pace(0.4, 75).look_every_s == 0.1
    assert Pace(0, 0).look_every_s == 1


@pytest.mark.parametrize(("pace", "every_s"), [
    (Pace(4, 0), 1.0), (Pace(0, 2), 0.5), (Pace(2, 1), 0.25), (Pace(0.01, 75), 0.02), (Pace(100, 100), 1.0),
])  # fmt: skip
def test_shortest_limit_says_how_often_to_look(pace: Pace, every_s: float) -> None:
    assert pace.look_every_s == every_s


def test_limits_below_a_second_are_kept() -> None:
    pace = Pace(request_s=0.5, idle_s=0.25)
    assert pace.judge(Progress(Phase.KEPT, 0), 0.25) is PaceVerdict.CLOSE
    assert pace.judge(Progress(Phase.BODY, 0), 0.5) is PaceVerdict.TIMEOUT
    assert pace.judge(Progress(Phase.ANSWER, 0, stalled_s=0), 0.25) is PaceVerdict.CLOSE


@pytest.mark.parametrize("phase", Phase)
def test_one_limit_may_be_left_out(phase: Phase) -> None:
    begun = Progress(phase, 0, begun_s=0, stalled_s=0)
    assert (Pace(30, 0).judge(begun, 100) is PaceVerdict.GOES_ON) is (phase is Phase.ANSWER)
    assert (Pace(0, 75).judge(begun, 100) is PaceVerdict.GOES_ON) is (phase is not Phase.ANSWER)


def test_body_has_more_time_the_more_it_has_brought() -> None:
    assert Pace(10, 0).body_left_s(0, 4) == 6
    assert Pace(10, 0).body_left_s(2048, 4) == 8
    assert Pace(0, 10).body_left_s(2048, 4) is None
