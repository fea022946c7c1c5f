"""How many people come next, and when the answer is found: growth until it is too much, then halving the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app_server.load.meter import Measured

GROWTH: Final = 1.6
"""Fast enough to be at a thousand people after a dozen stages, and slow enough not to overrun the limit by far."""

CLOSE_ENOUGH: Final = 0.15
"""The search ends when what is too many is so much more than what is not."""

BUSY: Final = 0.85
"""A generator that uses more of its core than this measures itself."""

LATE: Final = 0.5
"""And so does one that is late by this share of the time that answers seem to take."""

FEWEST_TRIPS: Final = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What people put up with: the 99th percentile of round trips, and the share of faults."""

    p99_s: float = 0.2
    faults: float = 0.01


class Why(Enum):
    """Why a stage is too much, or why the ramp has ended."""

    NONE = ""
    SLOW = "round trips take too long"
    FAULTS = "too much fails"
    GONE = "the server is gone"
    SILENT = "nothing is answered"
    GENERATOR = "the load generator has reached its own limit"
    MOST = "no more people were to come"
    FOUND = "the limit is found"
    INTERRUPTED = "it was interrupted"


@dataclass(frozen=True, slots=True)
class Next:
    """How many people come next; None if the ramp has ended, and then why."""

    people: int | None
    why: Why = Why.NONE


def judge(stage: Measured, limits: Limits) -> Why:
    """Why this many people are too many, `Why.NONE` if they are not."""
    if stage.fault_count and not stage.trips.count and not stage.opens.count:
        return Why.GONE
    if stage.fault_share > limits.faults:
        return Why.FAULTS
    if stage.moves >= FEWEST_TRIPS and not stage.trips.count:
        return Why.SILENT
    if stage.trips.known and stage.trips.p99_s > limits.p99_s:
        # Answers that the generator itself was late to read say nothing about the server.
        return Why.GENERATOR if stage.busy > BUSY or stage.late_s > LATE * stage.trips.p99_s else Why.SLOW
    return Why.GENERATOR if stage.busy > BUSY else Why.NONE


def next_stage(stages: Sequence[Measured], limits: Limits, first: int, most: int) -> Next:
    """What follows these stages."""
    if not stages:
        return Next(min(first, most))
    verdicts = [judge(stage, limits) for stage in stages]
    if verdicts[-1] in (Why.GONE, Why.GENERATOR):
        return Next(None, verdicts[-1])
    too_many = min(
        (each.people for each, why in zip(stages, verdicts, strict=True) if why is not Why.NONE), default=None
    )
    good = carried(stages, limits)
    if too_many is None:
        return Next(None, Why.MOST) if good >= most else Next(min(most, max(good + 1, math.ceil(good * GROWTH))))
    if too_many - good <= max(1.0, CLOSE_ENOUGH * too_many):
        return Next(None, Why.FOUND)
    return Next((good + too_many) // 2)


def carried(stages: Sequence[Measured], limits: Limits) -> int:
    """The most people that were not too many, and fewer than any that were; 0 if even the fewest were."""
    bad = [each.people for each in stages if judge(each, limits) is not Why.NONE]
    return max((each.people for each in stages if each.people < min(bad, default=math.inf)), default=0)


def reason(stages: Sequence[Measured], limits: Limits) -> tuple[Why, Measured | None]:
    """Why there cannot be more people, and the stage with the fewest people that showed it."""
    bad = [(each, why) for each in stages if (why := judge(each, limits)) is not Why.NONE]
    if not bad:
        return Why.NONE, None
    stage, why = min(bad, key=lambda pair: pair[0].people)
    return why, stage
