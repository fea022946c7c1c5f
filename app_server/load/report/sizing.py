"""From what was measured to a deployment: how many instances, and how large they should be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from app_server.load.server_side import Costs

HEADROOM: Final = 0.7
"""An instance is planned with this share of what it carries: people come in waves, and one instance may be away."""

MEMORY_RESERVE: Final = 1.3
"""Python keeps memory that it has freed, and callbacks need some while they run."""

LEAST_MEMORY_MB: Final = 256
MEMORY_STEP_MB: Final = 64

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """Instances for so many people: how many, the memory of each, and how many cores all use; None if not known.

    `cores` is an average: an instance uses a whole one while it works, so it must not be limited to its share.
    """

    people: int
    instances: int
    people_each: int
    memory_mb: int | None
    cores: float | None


def size_for(people: int, carried: int, instances: int, costs: Costs | None) -> Size | None:
    """Instances for this many people, if so many `instances` carry `carried` of them; None if they carry no one."""
    each = carried * HEADROOM / instances
    if each <= 0:
        return None
    needed = max(1, math.ceil(people / each))
    most = math.ceil(people / needed)
    return Size(people, needed, most, _memory_mb(most, instances, costs), _cores(people, costs))


def _memory_mb(people: int, instances: int, costs: Costs | None) -> int | None:
    if costs is None or costs.session_bytes is None:
        return None
    wanted = (costs.idle_bytes / instances + people * costs.session_bytes) * MEMORY_RESERVE / MB
    return max(LEAST_MEMORY_MB, math.ceil(wanted / MEMORY_STEP_MB) * MEMORY_STEP_MB)


def _cores(people: int, costs: Costs | None) -> float | None:
    if costs is None or costs.cpu_share is None:
        return None
    # Rounded first: a float that is a hair above a tenth must not cost another tenth.
    return max(0.1, math.ceil(round(people * costs.cpu_share * 10, 6)) / 10)
