"""A process among others that come and go in any number, as somebody else (gunicorn) wants it.

There are many more slots than processes, and every process holds its share of them. Who comes takes a share from the
others; who leaves gives its own to them. Slots are moved under a lock, and by their holder, unless that one is gone:

    newcomer:  {"question": "standing"} to all -> works out its share -> {"question": "yield"} -> the holder moves links
    leaver:    {"question": "standing"} to all -> {"question": "elder"} to those who stay -> moves links to them
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app_server.fleet.crew import Crew, Receiver
from app_server.fleet.letters import Unreachable
from app_server.fleet.place import Place
from app_server.fleet.shares import share_of_newcomer, spread

log = logging.getLogger(__name__)

SLOTS = 256
"""The same in all processes of a server as long as it runs; it bounds how many of them can have sessions."""

_LOOK_S = 0.05


class Shifts(Crew):
    """This process's place among processes that come and go; `slot` numbers them in the order of their coming."""

    def __init__(self, place: Place, slot: int, slots: int, knows: Callable[[str], bool], arrived: Receiver) -> None:
        super().__init__(place, slot, slots, knows, arrived)
        self.leaving = False
        self.answer("standing", self._answer_standing)
        self.answer("yield", self._answer_yield)
        self.answer("elder", self._answer_elder)

    async def _open(self) -> None:
        """Be found by the others, and take a share of the slots."""
        self._open_box()
        while True:
            async with self._only_mover():
                await self._take_share()
            self.held = self._linked()
            if self.held:
                return
            await asyncio.sleep(_LOOK_S)  # all the others are busy

    async def relieve(self) -> bool:
        """Give all slots to those who stay; whether there is anybody. Without anybody, all stays as it is."""
        async with self._only_mover():
            staying = {box: found["slots"] for box, found in (await self._standings()).items()
                       if found is not None and not found["leaving"]}  # fmt: skip
            self.held = self._linked()
            for box, slots in spread(self.held, staying).items() if staying else ():
                try:
                    await self.ask(box, {"question": "elder", "box": self._box.name})
                except (Unreachable, TimeoutError):
                    continue
                self._hand_on(slots, box)
        if not self.held:
            self._retire()
        return not self.held

    async def newest(self) -> int:
        """The highest number among all that are there."""
        standings = (await self._standings()).values()
        return max([self.slot, *(int(found["number"]) for found in standings if found is not None)])

    async def may_leave(self) -> int:
        """How many others there are, all of whom stay, so that this process may leave; -1 where somebody does not.

        Where it may and there are others, it counts as leaving from then on.
        """
        async with self._only_mover():
            standings = (await self._standings()).values()
            if any(found is None or found["leaving"] for found in standings):
                return -1
            self.leaving = bool(standings)
            return len(standings)

    async def _take_share(self) -> None:
        standings = await self._standings()
        holders: dict[int, Path | None] = {}
        for slot in range(self.slots):
            holder = self.place.holder(slot)
            holders[slot] = holder if holder in standings else None
        staying = [box for box, found in standings.items() if found is not None and not found["leaving"]]
        busy = [box for box, found in standings.items() if found is None]
        for holder, slots in share_of_newcomer(holders, staying, busy).items():
            if holder is None:
                self._take(slots)
            else:
                await self._have_yielded(holder, slots)

    async def _have_yielded(self, holder: Path, slots: set[int]) -> None:
        self._elders.add(holder)
        try:
            answer = await self.ask(holder, {"question": "yield", "slots": sorted(slots), "box": self._box.name})
        except (Unreachable, TimeoutError):
            return  # whoever yields late moves links that lead here all the same; no new ids are made for them
        if answer["untouched"]:
            self.forget(holder)
        self._elders.update(self.place.folder / name for name in answer["elders"] if name != self._box.name)

    def _linked(self) -> set[int]:
        """The slots whose links lead here, or did until they were deleted."""
        found = {slot: self.place.holder(slot) for slot in range(self.slots)}
        return {slot for slot, box in found.items() if box == self._box or (box is None and slot in self.held)}

    def _successor(self) -> Path | None:
        slot = random.randrange(self.slots)
        return None if self.place.holder(slot) in (None, self._box) else self.place.slot(slot)

    async def _standings(self) -> dict[Path, dict[str, Any] | None]:
        """What the others say of themselves; None for those who are too busy."""
        others = [box for box in self.place.boxes() if box != self._box]
        found = await asyncio.gather(*(self._standing(box) for box in others))
        return {box: standing for box, standing in zip(others, found, strict=True) if standing != {}}

    async def _standing(self, box: Path) -> dict[str, Any] | None:
        try:
            return dict(await self.ask(box, {"question": "standing"}))
        except Unreachable:
            box.unlink(missing_ok=True)  # it crashed
            return {}
        except TimeoutError:
            return None

    @asynccontextmanager
    async def _only_mover(self) -> AsyncIterator[None]:
        """Wait until nobody else moves slots."""
        while True:
            with self.place.lock() as alone:
                if alone:
                    yield
                    return
            await asyncio.sleep(_LOOK_S)

    async def _answer_standing(self, words: Mapping[str, Any]) -> Mapping[str, Any]:
        self.held = self._linked()
        return {"number": self.slot, "leaving": self.leaving, "slots": len(self.held)}

    async def _answer_yield(self, words: Mapping[str, Any]) -> Mapping[str, Any]:
        slots = self._linked() & set(words["slots"])
        self._hand_on(slots, self.place.folder / str(words["box"]))
        if not self.held:
            self._retire()
        return {"elders": [elder.name for elder in self._elders], "untouched": not self.asked}

    async def _answer_elder(self, words: Mapping[str, Any]) -> Mapping[str, Any]:
        self._elders.add(self.place.folder / str(words["box"]))
        return {}
