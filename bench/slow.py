"""Callbacks that produce too much: for the line of one of two clients, or for the process."""

from __future__ import annotations

import asyncio
import json
import struct

from app_server.load.wire import Message
from bench.client import join, open_page
from bench.load import Figures, Meter, open_tabs, quantile
from bench.narrow import narrow_line
from bench.servers import Served

STAMP = struct.Struct("<d")
BEATS_HZ = 20
LINE_BYTES_PER_S = 1e6
SETTLE_S = 3.0
FULL_SESSIONS = 200


class Seen:
    """What one client has seen: how old each set of values was on arrival, and the rows."""

    def __init__(self) -> None:
        self.ages_s: list[float] = []
        self.rows: list[float] = []

    def take(self, message: Message) -> None:
        """Record the contents of a patch, whether a beat is one message or two."""
        if message.kind != "PATCH-DOC":
            return
        for event in json.loads(message.content)["events"]:
            if event["kind"] == "ColumnsStreamed":
                self.rows += event["data"]["entries"][0][1]
        if message.buffers:
            self.ages_s.append(message.arrived_s - STAMP.unpack_from(message.buffers[0])[0])


async def slow_line(served: Served, quick: bool) -> Figures:
    """Two clients of a session, one behind a line that carries half of what the session sends."""
    token, socket_at = await open_page(served.port, served.path)
    before = served.memory_bytes()
    with narrow_line(served.port, LINE_BYTES_PER_S) as line:
        tabs = [await join(served.port, socket_at, token), await join(line.port, socket_at, token)]
        near, far = Seen(), Seen()
        for tab, seen in zip(tabs, (near, far), strict=True):
            tab.connection.on_message = seen.take
        duration_s = 10.0 if quick else 20.0
        await asyncio.sleep(SETTLE_S)
        settled = len(near.ages_s), len(far.ages_s)
        await asyncio.sleep(duration_s)
        memory = served.memory_bytes() - before
        cut_off = any(tab.connection.closed for tab in tabs)
        return {
            "age_p50_ms": quantile(far.ages_s[settled[1] :], 0.5) * 1000,
            "age_max_ms": max(far.ages_s[settled[1] :], default=float("inf")) * 1000,
            "beside_percent": min(100.0, (len(near.ages_s) - settled[0]) / (BEATS_HZ * duration_s) * 100),
            "beside_p50_ms": quantile(near.ages_s[settled[0] :], 0.5) * 1000,
            "lost_rows": lost(near.rows) + lost(far.rows) + (float("inf") if cut_off else 0),
            "memory_mb": max(0, memory) / 1e6,
        }


def lost(rows: list[float]) -> float:
    """How many rows are missing between the first and the last that arrived."""
    return rows[-1] - rows[0] + 1 - len(rows) if rows else float("inf")


async def beats(served: Served, quick: bool) -> Figures:
    """Sessions whose callbacks beat 20 times a second, and what one process could do at most."""
    tabs = await open_tabs(served, 50 if quick else FULL_SESSIONS)
    count = 0

    def take(message: Message) -> None:
        nonlocal count
        count += message.kind == "PATCH-DOC"

    for tab in tabs:
        tab.connection.on_message = take
    await asyncio.sleep(1.0)
    count, meter = 0, Meter(served)
    await asyncio.sleep(3.0 if quick else 8.0)
    cpu_ms = meter.cpu_ms_each(count)
    return {
        "delivered_percent": min(100.0, count / (BEATS_HZ * len(tabs) * meter.wall_s()) * 100),
        "cpu_ms": cpu_ms,
        "limit_per_s": 1000 / cpu_ms,
        "client_busy_percent": meter.client_busy_percent(),
    }
