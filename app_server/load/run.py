"""The load test: people come stage by stage until they are too many, and the server is looked at meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from app_server.errors import AppServerError
from app_server.load.crowd import Crowd
from app_server.load.meter import Measured, Meter, Tally, measured
from app_server.load.person import FAULTS, Script, Visit
from app_server.load.ramp import Limits, Why, judge, next_stage
from app_server.load.server_side import During, Look, Use, is_complete, use_of

ARRIVAL: Final = 0.3
"""In which part of a stage people come, one after the other."""

EACH_ARRIVES_S: Final = 0.1
"""Many who come at once take longer, or opening their pages would be what is measured."""

OPEN_PATIENCE_S: Final = 30.0
"""For so long the measurement waits for pages that are still being opened."""

REST_S: Final = 30.0
"""How long a server may take to answer what was too much for it."""

SETTLING: Final = 0.1
"""Which part of a stage is left for the server to settle before the measurement begins."""

NO_LOOK: Final = "it is not a server of this user on this machine; give --metrics with its own address"

LOOKS: Final = 3
"""How often a server that is too busy to answer at once is asked."""

RUSH_AT_ONCE: Final = 8
SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the test is made: who may come, how long a stage lasts, and when it is too much."""

    limits: Limits = Limits()
    first: int = 5
    most: int = 1000
    stage_s: float = 10.0
    rush_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Rush:
    """Pages opened as fast as they come, a few at a time: how many in how many seconds."""

    opens: int
    seconds: float
    faults: int

    @property
    def opens_per_s(self) -> float:
        """How many sessions the server opens in a second."""
        return self.opens / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was measured, and why it ended.

    `idle` is None if nothing is known of the server's processes, and then `unknown` says why.
    """

    stages: tuple[Measured, ...]
    why: Why
    idle: Use | None = None
    during: tuple[During, ...] = ()
    rush: Rush | None = None
    unknown: str = ""


Progress = Callable[[str, Sequence[Measured]], None]
"""Hears what happens now, and all stages so far."""


class LoadTest:
    """One load test. `looks` take snapshots of the server's instances; without them its use is not known."""

    def __init__(self, visit: Visit, script: Script, wishes: Wishes, looks: Sequence[Look], progress: Progress) -> None:
        self._visit = visit
        self._wishes = wishes
        self._looks = looks
        self._progress = progress
        self._meter = Meter()
        self._crowd = Crowd(visit, script, self._meter, Random(SEED))
        self._stages: list[Measured] = []
        self._during: list[During] = []
        self._rush: Rush | None = None
        self._idle: Use | None = None
        self._unknown = ""
        self._why = Why.INTERRUPTED

    async def run(self, stop: asyncio.Event) -> Outcome:
        """The outcome: that of the whole test, or what is known when `stop` is set."""
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)
            await self._crowd.leave()
        return Outcome(
            tuple(self._stages), self._why, self._idle, tuple(self._during), self._rush, self._unknown
        )  # fmt: skip

    async def _work(self) -> None:
        self._idle = await self._use()
        wishes = self._wishes
        while (following := next_stage(self._stages, wishes.limits, wishes.first, wishes.most)).people is not None:
            await self._stage(following.people)
        await self._crowd.leave()
        if following.why is not Why.GONE and wishes.rush_s > 0:
            self._rush = await self._opened_at_once(wishes.rush_s)
        self._why = following.why

    async def _stage(self, people: int) -> None:
        """Have so many people there, and measure what they experience."""
        stage_s = self._wishes.stage_s
        self._progress(f"{people} people", self._stages)
        if self._stages and judge(self._stages[-1], self._wishes.limits) is not Why.NONE:
            await self._crowd.leave(people)
            await self._crowd.rest(REST_S)  # or the next stage would wait for the answers of this one
        self._meter.take()
        coming = max(0, people - self._crowd.size)
        await self._crowd.become(people, max(stage_s * ARRIVAL, coming * EACH_ARRIVES_S))
        absent = await self._crowd.arrived(OPEN_PATIENCE_S)
        await asyncio.sleep(stage_s * SETTLING)
        arrival = self._meter.take()
        before, began_s, busy_s = await self._use(), time.monotonic(), time.process_time()

        def found() -> Measured:
            seconds = max(0.001, time.monotonic() - began_s)
            late_s = self._crowd.waiting_s(self._wishes.limits.p99_s)
            tally = joined(arrival, self._meter.take())
            return measured(tally, people, seconds, (time.process_time() - busy_s) / seconds, late_s, absent)

        try:
            await asyncio.sleep(stage_s * (1 - ARRIVAL - SETTLING))
        except asyncio.CancelledError:  # someone has had enough: what there is so far is better than nothing
            if not self._stages:
                self._stages.append(found())
            raise
        self._stages.append(found())
        after = await self._use()
        if before is not None and after is not None:
            self._during.append(During(people, before, after))
        self._progress(f"{people} people", self._stages)

    async def _use(self) -> Use | None:
        if not self._looks:
            self._unknown = NO_LOOK
        if self._unknown:
            return None
        try:
            for _ in range(LOOKS):
                snapshots = [await asyncio.to_thread(look) for look in self._looks]
                if all(map(is_complete, snapshots)):
                    return use_of(snapshots)
        except AppServerError as error:
            self._unknown = str(error)
        return None

    async def _opened_at_once(self, seconds: float) -> Rush:
        """How many pages a few visitors can open in this time, one after the other."""
        self._progress("opening pages", self._stages)
        began_s = time.monotonic()
        results = await asyncio.gather(*(self._open_until(began_s + seconds) for _ in range(RUSH_AT_ONCE)))
        opens, faults = (sum(pair[index] for pair in results) for index in (0, 1))
        return Rush(opens, time.monotonic() - began_s, faults)

    async def _open_until(self, end_s: float) -> tuple[int, int]:
        opens = faults = 0
        while time.monotonic() < end_s:
            try:
                tab = await self._visit.open()
            except FAULTS:
                faults += 1
                await asyncio.sleep(0.1)  # who is refused does not ask again at once
            else:
                opens += 1
                tab.connection.close()
        return opens, faults


def joined(arrival: Tally, steady: Tally) -> Tally:
    """What belongs to a stage: all pages and all faults, but only round trips from when everyone was there."""
    examples = {**arrival.examples, **steady.examples}
    return Tally(
        [*arrival.opens_s, *steady.opens_s],
        steady.trips_s,
        steady.late_s,
        arrival.faults + steady.faults,
        examples,
        arrival.missing + steady.missing,
    )
