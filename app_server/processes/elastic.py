"""A process among any number of others that another program (gunicorn) starts and stops.

There are many more slots than processes, and the processes partition them. A process that joins takes some from the
others; one that leaves gives its own to them. Slots are moved under a lock, by their holder unless it is gone:

    joining: {"question": "standing"} to all -> chooses its slots -> {"question": "yield"} -> the holder moves links
    leaving: {"question": "standing"} to all -> {"question": "predecessor"} to those that stay -> moves links to them
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app_server.processes.ipc import Unreachable
from app_server.processes.partition import slots_of_joining, spread
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.worker_group import Receiver, WorkerGroup

log = logging.getLogger(__name__)

SLOTS = 256
"""The same in all processes of a server as long as it runs; it bounds how many of them can have sessions."""

_LOOK_S = 0.05


class ElasticWorkerGroup(WorkerGroup):
    """This process among others that come and go; `slot` numbers them in the order in which they joined."""

    def __init__(
        self,
        runtime_dir: RuntimeDir,
        slot: int,
        slots: int,
        knows: Callable[[str], bool],
        arrived: Receiver,
        on_superseded: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(runtime_dir, slot, slots, knows, arrived, on_superseded)
        self.leaving = False
        self.answer("standing", self._answer_standing)
        self.answer("yield", self._answer_yield)
        self.answer("predecessor", self._answer_predecessor)

    async def _open(self) -> None:
        """Be found by the others, and take some of the slots."""
        self._open_socket()
        while True:
            async with self._only_mover():
                await self._take_slots()
            self.held = self._linked()
            if self.held:
                return
            await asyncio.sleep(_LOOK_S)  # all the others are busy

    async def relieve(self) -> bool:
        """Give all slots to the processes that stay; False, and nothing is changed, if there are none."""
        async with self._only_mover():
            staying = {socket_path: found["slots"] for socket_path, found in (await self._standings()).items()
                       if found is not None and not found["leaving"]}  # fmt: skip
            self.held = self._linked()
            for socket_path, slots in spread(self.held, staying).items() if staying else ():
                try:
                    await self.ask(socket_path, {"question": "predecessor", "socket": self._socket_path.name})
                except (Unreachable, TimeoutError):
                    continue
                self._hand_on(slots, socket_path)
        if not self.held:
            self._retire()
        return not self.held

    async def newest(self) -> int:
        """The highest number among all that are there."""
        standings = (await self._standings()).values()
        return max([self.slot, *(int(found["number"]) for found in standings if found is not None)])

    def leave(self) -> None:
        """Mark this process as leaving: it takes over nothing any more."""
        self.leaving = True

    async def may_leave(self) -> int:
        """The number of other processes, if all of them stay and this one may leave; -1 if it may not.

        If there are others, this process is marked as leaving from then on.
        """
        async with self._only_mover():
            standings = (await self._standings()).values()
            if any(found is None or found["leaving"] for found in standings):
                return -1
            self.leaving = bool(standings)
            return len(standings)

    async def _take_slots(self) -> None:
        standings = await self._standings()
        holders: dict[int, Path | None] = {}
        for slot in range(self.slots):
            holder = self.runtime_dir.holder(slot)
            holders[slot] = holder if holder in standings else None
        staying = [
            socket_path for socket_path, found in standings.items() if found is not None and not found["leaving"]
        ]
        busy = [socket_path for socket_path, found in standings.items() if found is None]
        for holder, slots in slots_of_joining(holders, staying, busy).items():
            if holder is None:
                self._take(slots)
            else:
                await self._have_yielded(holder, slots)

    async def _have_yielded(self, holder: Path, slots: set[int]) -> None:
        self._predecessors.add(holder)
        try:
            answer = await self.ask(
                holder, {"question": "yield", "slots": sorted(slots), "socket": self._socket_path.name}
            )
        except (Unreachable, TimeoutError):
            return  # a process that yields late still moves its links here; no new ids are made for them
        if answer["untouched"]:
            self.forget(holder)
        self._predecessors.update(
            self.runtime_dir.folder / name for name in answer["predecessors"] if name != self._socket_path.name
        )

    def _linked(self) -> set[int]:
        """The slots whose links lead here, or did until they were deleted."""
        found = {slot: self.runtime_dir.holder(slot) for slot in range(self.slots)}
        return {
            slot
            for slot, socket_path in found.items()
            if socket_path == self._socket_path or (socket_path is None and slot in self.held)
        }

    def _successor(self) -> Path | None:
        slot = random.randrange(self.slots)
        return None if self.runtime_dir.holder(slot) in (None, self._socket_path) else self.runtime_dir.slot(slot)

    async def _standings(self) -> dict[Path, dict[str, Any] | None]:
        """How the others stand; None for those that are too busy to answer."""
        others = [socket_path for socket_path in self.runtime_dir.socket_paths() if socket_path != self._socket_path]
        found = await asyncio.gather(*(self._standing(socket_path) for socket_path in others))
        return {socket_path: standing for socket_path, standing in zip(others, found, strict=True) if standing != {}}

    async def _standing(self, socket_path: Path) -> dict[str, Any] | None:
        try:
            return dict(await self.ask(socket_path, {"question": "standing"}))
        except Unreachable:
            socket_path.unlink(missing_ok=True)  # it crashed
            return {}
        except TimeoutError:
            return None

    @asynccontextmanager
    async def _only_mover(self) -> AsyncIterator[None]:
        """Wait until no other process moves slots."""
        while True:
            with self.runtime_dir.lock() as is_ours:
                if is_ours:
                    yield
                    return
            await asyncio.sleep(_LOOK_S)

    async def _answer_standing(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self.held = self._linked()
        return {"number": self.slot, "leaving": self.leaving, "slots": len(self.held)}

    async def _answer_yield(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        slots = self._linked() & set(fields["slots"])
        self._hand_on(slots, self.runtime_dir.folder / str(fields["socket"]))
        if not self.held:
            self._retire()
        return {"predecessors": [predecessor.name for predecessor in self._predecessors], "untouched": not self.asked}

    async def _answer_predecessor(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._predecessors.add(self.runtime_dir.folder / str(fields["socket"]))
        return {}
