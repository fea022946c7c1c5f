"""Pings, which show which clients have gone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from app_server.websocket.owner import ClientWire


async def keep_alive(wires: Collection[ClientWire], interval_s: float) -> None:
    """Ping every client, and end the connections of those that take nothing, or are silent, for two rounds."""
    while interval_s > 0:
        await asyncio.sleep(interval_s)
        for wire in list(wires):
            if not wire.has_gone(2 * interval_s + 1):
                wire.ping()
            elif wire.queued_bytes:
                wire.give_up(wire.queued_bytes, "stopped reading")
            else:
                wire.abort(1006, "no sign of life")
