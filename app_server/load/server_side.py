"""What the server says of itself: how much of its processors and its memory people use.

A snapshot is what `app-server status --json` prints; where it comes from is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app_server.observe.snapshots import memory_bytes

Look = Callable[[], Mapping[str, Any]]
"""Takes a snapshot. It blocks, and raises AppServerError if the server does not answer."""


@dataclass(frozen=True, slots=True)
class Use:
    """What all processes of a server use at a moment; `cpu_s` is None if it does not say."""

    taken_s: float
    sessions: int
    memory_bytes: int
    cpu_s: float | None
    processes: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What the server needs: without people, for each session, and for each person who uses it.

    `cpu_share` is which share of one core a person takes. None where nothing is known.
    """

    idle_bytes: int
    session_bytes: int | None
    cpu_share: float | None
    processes: int


def is_complete(snapshot: Mapping[str, Any]) -> bool:
    """Whether all processes of the server have answered."""
    return bool(snapshot["processes"]) and not snapshot["silent"]


def use_of(snapshots: Sequence[Mapping[str, Any]]) -> Use:
    """The use of the servers that these snapshots are of."""
    facts = [each for snapshot in snapshots for each in snapshot["processes"].values()]
    gauges = [each for fact in facts for each in fact["applications"].values()]
    cpu = [fact.get("cpu_s") for fact in facts]
    return Use(
        max((float(fact["taken_s"]) for fact in facts), default=0.0),
        sum(int(each["now"]["sessions"]) for each in gauges),
        sum(map(memory_bytes, snapshots)),
        None if None in cpu or not cpu else sum(float(each) for each in cpu if each is not None),
        len(facts),
    )


@dataclass(frozen=True, slots=True)
class During:
    """The use at the beginning and at the end of a stage in which so many people were there."""

    people: int
    before: Use
    after: Use

    @property
    def cores(self) -> float | None:
        """How many cores were in use, None if the server does not say."""
        passed_s = self.after.taken_s - self.before.taken_s
        if self.before.cpu_s is None or self.after.cpu_s is None or passed_s <= 0:
            return None
        return max(0.0, self.after.cpu_s - self.before.cpu_s) / passed_s


def costs(idle: Use, stages: Sequence[During]) -> Costs:
    """What people cost, by the stage that had the most of them."""
    if not stages:
        return Costs(idle.memory_bytes, None, None, idle.processes)
    most = max(stages, key=lambda stage: stage.people)
    sessions = most.after.sessions - idle.sessions
    grown = most.after.memory_bytes - idle.memory_bytes
    cores = most.cores
    return Costs(
        idle.memory_bytes,
        max(0, grown) // sessions if sessions > 0 else None,
        None if cores is None else cores / most.people,
        idle.processes,
    )
