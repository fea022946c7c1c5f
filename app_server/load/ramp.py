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

GONE: Final = frozenset({"cannot connect", "connection lost"})
"""The faults of a server that does not even refuse."""

ABSENT: Final = 0.1
"""Which share of the people may still wait for their page when the others are measured."""


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
    ABSENT = "pages do not open in time"
    GENERATOR = "the load generator has reached its own limit"
    MOST = "no more were to come, see --most"
    FOUND = "the limit is found"
    INTERRUPTED = "it was interrupted"


@dataclass(frozen=True, slots=True)
class Next:
    """How many people come next; None if the ramp has ended, and then why."""

    people: int | None
    why: Why = Why.NONE


def judge(stage: Measured, limits: Limits) -> Why:
    """Why this many people are too many, `Why.NONE` if they are not."""
    if stage.faults and not stage.trips.count and not stage.opens.count and {kind for kind, _ in stage.faults} <= GONE:
        return Why.GONE
    if stage.fault_share > limits.faults:
        return Why.FAULTS
    if stage.absent > ABSENT * stage.people:
        return Why.ABSENT
    if stage.moves >= FEWEST_TRIPS and not stage.trips.count:
        return Why.SILENT
    if stage.trips.known and stage.trips.p99_s > limits.p99_s:
        # Answers that the generator itself was late to read say nothing about the server.
        return Why.GENERATOR if stage.busy > BUSY or stage.late_s > LATE * stage.trips.p99_s else Why.SLOW
    return Why.GENERATOR if stage.busy > BUSY else Why.NONE


def next_stage(stages: Sequence[Measured], limits: Limits, first: int, most: int) -> Next:
    """What follows these stages. What was too much once is tried again: it may have been the machine."""
    if not stages:
        return Next(min(first, most))
    last, why = stages[-1], judge(stages[-1], limits)
    if why is Why.GONE:
        return Next(None, why)
    if why is not Why.NONE and not any(each.people == last.people for each in stages[:-1]):
        return Next(last.people)
    if why is Why.GENERATOR:
        return Next(None, why)
    too_many, good = min(_too_many(stages, limits), default=None), carried(stages, limits)
    if too_many is None:
        return Next(None, Why.MOST) if good >= most else Next(min(most, max(good + 1, math.ceil(good * GROWTH))))
    if too_many - good <= max(1.0, CLOSE_ENOUGH * too_many):
        return Next(None, Why.FOUND)
    return Next((good + too_many) // 2)


def _too_many(stages: Sequence[Measured], limits: Limits) -> set[int]:
    """The numbers of people that were too many each time."""
    good = {each.people for each in stages if judge(each, limits) is Why.NONE}
    return {each.people for each in stages} - good


def carried(stages: Sequence[Measured], limits: Limits) -> int:
    """The most people that were not too many, and fewer than any that were; 0 if even the fewest were."""
    bad = _too_many(stages, limits)
    numbers = {each.people for each in stages} - bad
    return max((people for people in numbers if people < min(bad, default=math.inf)), default=0)


def reason(stages: Sequence[Measured], limits: Limits) -> tuple[Why, Measured | None]:
    """Why there cannot be more people, and the last stage with the fewest people that showed it."""
    bad = _too_many(stages, limits)
    if not bad:
        return Why.NONE, None
    stage = [each for each in stages if each.people == min(bad)][-1]
    return judge(stage, limits), stage
