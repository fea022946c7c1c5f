"""What a load test has found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app_server.load.first_visit import Seen
from app_server.load.meter import Measured
from app_server.load.ramp import Limits, Why, carried, reason
from app_server.load.report.sizing import Size, size_for
from app_server.load.run import Outcome
from app_server.load.server_side import Costs, costs
from app_server.load.statistics import Spread


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of one test of the application at `url`, which so many instances serve.

    `too_many` is the stage with the fewest people that were too many, None if there was none; `why` says why they
    were. `size` is what a deployment for `wanted` people needs.
    """

    url: str
    seen: Seen
    outcome: Outcome
    limits: Limits
    instances: int
    doing: str
    carried: int
    why: Why
    too_many: Measured | None
    costs: Costs | None
    wanted: int | None
    size: Size | None

    @property
    def is_answer(self) -> bool:
        """Whether the limit of the application was found, rather than that of the test."""
        return self.carried > 0 and self.why in (Why.SLOW, Why.FAULTS, Why.SILENT, Why.ABSENT)


def findings(
    url: str, seen: Seen, outcome: Outcome, limits: Limits, *, instances: int, doing: str, wanted: int | None
) -> Findings:
    """What this outcome means."""
    why, too_many = reason(outcome.stages, limits)
    most = carried(outcome.stages, limits)
    cost = None if outcome.idle is None else costs(outcome.idle, outcome.during)
    size = None if wanted is None or not most else size_for(wanted, most, instances, cost)
    return Findings(
        url, seen, outcome, limits, instances, doing, most, why if too_many else outcome.why, too_many, cost, wanted,
        size,
    )  # fmt: skip


def as_data(found: Findings) -> dict[str, Any]:
    """The findings for programs: seconds, bytes, and null for what is not known."""
    outcome = found.outcome
    return {
        "url": found.url,
        "people": found.carried,
        "limit_found": found.is_answer,
        "ended_because": outcome.why.value,
        "too_many": None if found.too_many is None else found.too_many.people,
        "too_many_because": found.why.value if found.too_many is not None else "",
        "limit_p99_s": found.limits.p99_s,
        "doing": found.doing,
        "widgets": dict(found.seen.movable),
        "left_out": dict(found.seen.left_out),
        "stages": [_stage(stage) for stage in outcome.stages],
        "opens_per_s": None if outcome.rush is None else round(outcome.rush.opens_per_s, 2),
        "session_bytes": None if found.costs is None else found.costs.session_bytes,
        "idle_bytes": None if found.costs is None else found.costs.idle_bytes,
        "cores_per_person": None if found.costs is None else _finite(found.costs.cpu_share, 5),
        "server_unknown": outcome.unknown or None,
        "instances_tested": found.instances,
        "deployment": None if found.size is None else _size(found.size),
    }


def _stage(stage: Measured) -> dict[str, Any]:
    return {
        "people": stage.people,
        "seconds": round(stage.seconds, 3),
        "moves": stage.moves,
        "round_trips": _spread(stage.trips),
        "opens": _spread(stage.opens),
        "faults": dict(stage.faults),
        "examples": list(stage.examples),
        "without_a_page": stage.absent,
        "generator_busy": round(stage.busy, 3),
        "generator_late_s": round(stage.late_s, 4),
        "not_played": stage.missing,
    }


def _spread(spread: Spread) -> Mapping[str, Any]:
    return {"count": spread.count, "p50_s": _finite(spread.p50_s), "p99_s": _finite(spread.p99_s)}


def _finite(value: float | None, digits: int = 4) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)


def _size(size: Size) -> Mapping[str, Any]:
    return {
        "people": size.people,
        "instances": size.instances,
        "people_per_instance": size.people_each,
        "memory_mb": size.memory_mb,
        "cores_on_average": size.cores,
    }
