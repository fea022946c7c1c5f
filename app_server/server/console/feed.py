"""All instances of the deployment, as the console's pages see them: this one, and those whose consoles it asks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app_server.server.console.audit import Audit
from app_server.server.console.own_instance import OwnInstance
from app_server.server.console.peer_api import Peer, PeerFault
from app_server.server.console.usage import SAMPLE_EVERY_S

log = logging.getLogger(__name__)

_FRESH_S = 1.0
"""How old an answer may be: several operators who look at the same time cost no more than one."""


class Feed:
    """What the console's pages show and do."""

    def __init__(self, own: OwnInstance, peers: Sequence[Peer], audit: Audit) -> None:
        self._own = own
        self._peers = {peer.name: peer for peer in peers}
        self._audit = audit
        self._looked: dict[frozenset[str], tuple[float, asyncio.Future[list[Mapping[str, Any]]]]] = {}

    async def run(self) -> None:
        """Note how this instance is, for its charts, until cancelled."""
        while True:
            try:
                await self._own.sample()
            except Exception:
                log.exception("The console cannot see how the server is")
            await asyncio.sleep(SAMPLE_EVERY_S)

    async def look(self, parts: Collection[str]) -> list[Mapping[str, Any]]:
        """What is known of each instance, this one first; of one that does not answer only `fault` and its `name`."""
        wanted, now_s = frozenset(parts), time.monotonic()
        looked_s, looking = self._looked.get(wanted, (0.0, None))
        if looking is None or now_s - looked_s > _FRESH_S and looking.done():
            looking = asyncio.ensure_future(self._look(sorted(wanted)))
            self._looked = {**self._looked, wanted: (now_s, looking)}
        return await asyncio.shield(looking)

    async def _look(self, parts: list[str]) -> list[Mapping[str, Any]]:
        found = await asyncio.gather(self._own.look(parts), *(self._look_at(peer, parts) for peer in self._others()))
        return [{**instance, "address": address} for address, instance in zip(["", *self._peers], found, strict=True)]

    def _others(self) -> Collection[Peer]:
        return self._peers.values()

    async def _look_at(self, peer: Peer, parts: list[str]) -> dict[str, Any]:
        try:
            return await peer.look(parts)
        except PeerFault as fault:
            return {"name": peer.name, "fault": str(fault)}

    async def act(self, address: str, order: Mapping[str, Any], who: str) -> str:
        """Do what an operator asks for at the instance with this address, "" for this one; what came of it."""
        peer = self._peers.get(address)
        if peer is None:
            return await self._own.act(order, who)
        try:
            return await peer.act(order, f"{who}, at {self._own.name}")
        except PeerFault as fault:
            result = f"failed: the console {fault}"
            self._audit.note(who, str(order.get("act")), f"{order.get('on', '')} at {peer.name}", result)
            return result
