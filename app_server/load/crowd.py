"""The people who are there: they come one after the other, and the last one leaves first."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Final

from app_server.load.meter import Meter
from app_server.load.person import Person, Script, Visit

LOOK_S: Final = 0.05


class Crowd:
    """People at one application, who all write to one meter."""

    def __init__(self, visit: Visit, script: Script, meter: Meter, random: Random) -> None:
        self._visit = visit
        self._script = script
        self._meter = meter
        self._random = random
        self._active = asyncio.Event()
        self._active.set()
        self._there: list[tuple[Person, asyncio.Task[None]]] = []

    async def become(self, people: int, over_s: float) -> None:
        """Have so many people there, after a time in which those who are missing come."""
        await self.leave(people)
        missing = people - len(self._there)
        until_s = time.monotonic() + over_s
        for number in range(missing):
            person = Person(self._visit, self._script, self._meter, Random(self._random.random()), self._active)
            self._there.append((person, asyncio.create_task(person.live())))
            left_s = until_s - time.monotonic()
            await asyncio.sleep(max(0.0, left_s / (missing - number)))
        await asyncio.sleep(max(0.0, until_s - time.monotonic()))

    async def rest(self, patience_s: float) -> None:
        """Have everyone do nothing until all that was asked for is answered, or for so long."""
        until_s = time.monotonic() + patience_s
        self._active.clear()
        while self.waiting_s(0.0) and time.monotonic() < until_s:
            await asyncio.sleep(LOOK_S)
        self._active.set()

    async def arrived(self, patience_s: float) -> int:
        """How many are still before their first page when the others have it, or after this time."""
        until_s = time.monotonic() + patience_s
        while (missing := self._missing()) and time.monotonic() < until_s:
            await asyncio.sleep(LOOK_S)
        return missing

    def _missing(self) -> int:
        return sum(not person.has_tried for person, _ in self._there)

    @property
    def size(self) -> int:
        """How many people are there."""
        return len(self._there)

    async def leave(self, rest: int = 0) -> None:
        """Let the last ones leave until there are no more than `rest`."""
        tasks = [task for _, task in self._there[rest:]]
        del self._there[rest:]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def waiting_s(self, longer_than_s: float) -> list[float]:
        """For how long answers are awaited that have not come, of those that should have."""
        now_s = time.monotonic()
        return [each for person, _ in self._there for each in person.waiting_s(now_s) if each > longer_than_s]
