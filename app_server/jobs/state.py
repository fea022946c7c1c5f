"""The states of a job, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class JobState(StrEnum):
    """Where a job is; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """It was running or queued in a process that has ended."""


NEXT: Final[Mapping[JobState, frozenset[JobState]]] = MappingProxyType(
    {
        # An executor may refuse a job that has not begun; a short one may be over before anyone noticed that it began.
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.DONE, JobState.FAILED, JobState.CANCELLED}),
        JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED}),
        JobState.DONE: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
        JobState.LOST: frozenset(),
    }
)
"""What may follow each state."""


def is_final(state: JobState) -> bool:
    """Whether nothing follows this state."""
    return not NEXT[state]
