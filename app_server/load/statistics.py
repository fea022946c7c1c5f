"""Quantiles of what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def quantile(values: Iterable[float], share: float) -> float:
    """The value that this share of them does not exceed (nearest rank); NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in seconds: how often it was measured, and NaN for quantiles of nothing."""

    count: int
    p50_s: float
    p99_s: float

    @classmethod
    def of(cls, durations_s: Sequence[float]) -> Spread:
        """The spread of these durations; one that is infinite has not ended."""
        return cls(len(durations_s), quantile(durations_s, 0.5), quantile(durations_s, 0.99))

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return not math.isnan(self.p50_s)
