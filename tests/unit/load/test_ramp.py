"""How many people come next, and when that is known to be too many."""

from __future__ import annotations

import math

import pytest

from app_server.load.meter import Measured
from app_server.load.ramp import Limits, Next, Why, carried, judge, next_stage, reason
from app_server.load.statistics import Spread

LIMITS = Limits(p99_s=0.2, faults=0.01)
NOTHING = Spread.of([])


def stage(people: int, p99_s: float = 0.05, *, faults: int = 0, busy: float = 0.1, trips: int = 200) -> Measured:
    spread = Spread(trips, 0.01, p99_s) if trips else NOTHING
    return Measured(
        people, 6.0, Spread(people, 0.1, 0.2), spread, 200, (("error", faults),) if faults else (), busy=busy
    )


def ramp(capacity: int, first: int = 5, most: int = 1000) -> list[int]:
    """The people of each stage at a server that carries so many."""
    stages: list[Measured] = []
    while (following := next_stage(stages, LIMITS, first, most)).people is not None:
        stages.append(stage(following.people, 0.05 if following.people <= capacity else 0.5))
        assert len(stages) < 40
    return [each.people for each in stages]


@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 30, 100, 555, 999])
def test_limit_is_found_closely_from_below(capacity: int) -> None:
    stages = [stage(people, 0.05 if people <= capacity else 0.5) for people in ramp(capacity)]
    found = carried(stages, LIMITS)
    assert capacity * 0.85 - 1 <= found <= capacity
    assert next_stage(stages, LIMITS, 5, 1000) == Next(None, Why.FOUND)
    assert reason(stages, LIMITS)[0] is Why.SLOW


def test_people_grow_and_then_the_difference_is_halved() -> None:
    assert ramp(20) == [5, 8, 13, 21, 21, 17, 19]
    assert ramp(0) == [5, 5, 2, 2, 1, 1]


def test_no_more_come_than_may() -> None:
    assert ramp(10_000, most=12) == [5, 8, 12]
    assert ramp(10_000, first=50, most=12) == [12]
    stages = [stage(12)]
    assert next_stage(stages, LIMITS, 5, 12) == Next(None, Why.MOST)
    assert reason(stages, LIMITS) == (Why.NONE, None)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (stage(5), Why.NONE),
        (stage(5, 0.2), Why.NONE),
        (stage(5, 0.201), Why.SLOW),
        (stage(5, math.inf), Why.SLOW),
        (stage(5, faults=1), Why.NONE),
        (stage(5, faults=30), Why.FAULTS),
        (stage(5, 0.5, busy=0.95), Why.GENERATOR),
        (stage(5, busy=0.95), Why.GENERATOR),
        (stage(5, trips=0), Why.SILENT),
        (Measured(20, 6.0, NOTHING, NOTHING, absent=3), Why.ABSENT),
        (Measured(20, 6.0, NOTHING, NOTHING, absent=2), Why.NONE),
        (Measured(5, 6.0, NOTHING, NOTHING, faults=(("cannot connect", 9),)), Why.GONE),
        (Measured(5, 6.0, NOTHING, NOTHING, faults=(("page refused (503)", 9),)), Why.FAULTS),
        (Measured(5, 6.0, Spread(5, 0.1, 0.1), NOTHING), Why.NONE),
        (Measured(5, 6.0, Spread(5, 0.1, 0.1), Spread(9, 0.1, 0.1), 9, late_s=0.3), Why.NONE),
        (Measured(5, 6.0, Spread(5, 0.1, 0.1), Spread(9, 0.1, 0.4), 9, late_s=0.3), Why.GENERATOR),
        (Measured(5, 6.0, Spread(5, 0.1, 0.1), Spread(9, 0.1, 0.4), 9, late_s=0.1), Why.SLOW),
    ],
)
def test_stage_is_judged(found: Measured, why: Why) -> None:
    assert judge(found, LIMITS) is why


def test_what_was_too_much_is_tried_again_before_it_is_a_limit() -> None:
    assert next_stage([stage(5), stage(8, 0.5)], LIMITS, 5, 1000) == Next(8)
    assert next_stage([stage(5), stage(8, 0.5), stage(8)], LIMITS, 5, 1000) == Next(13)
    assert next_stage([stage(5), stage(8, 0.5), stage(8, 0.5)], LIMITS, 5, 1000) == Next(6)
    assert carried([stage(5), stage(8, 0.5), stage(8)], LIMITS) == 8


def test_ramp_ends_if_the_server_is_gone_or_the_generator_cannot_go_on() -> None:
    gone, busy = Measured(8, 6.0, NOTHING, NOTHING, faults=(("connection lost", 1),)), stage(8, busy=0.95)
    assert next_stage([stage(5), gone], LIMITS, 5, 1000) == Next(None, Why.GONE)
    assert next_stage([stage(5), busy], LIMITS, 5, 1000) == Next(8)
    assert next_stage([stage(5), busy, busy], LIMITS, 5, 1000) == Next(None, Why.GENERATOR)


def test_one_number_below_what_was_good_lowers_what_is_carried() -> None:
    assert carried([stage(5), stage(8, 0.5), stage(13)], LIMITS) == 5
    assert reason([stage(5), stage(13, 0.5), stage(8, faults=90)], LIMITS)[0] is Why.FAULTS
