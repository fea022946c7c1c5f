"""Memory of sessions and sockets, memory that ended sessions leave behind, and the bytes of a first page."""

from __future__ import annotations

import asyncio
import time

from app_server.load.pages import Response, assets_of
from bench.client import Tab, get, join, open_page, open_tab
from bench.load import Figures, close_tabs, next_value, open_tabs, quantile, together
from bench.servers import Served

BROWSER = {"Accept-Encoding": "gzip, deflate, br"}
SETTLE_S = 1.0
LEFTOVER_BUDGET_S = 70.0
STALL_BUDGET_S = 100.0
QUIET_S = 3.0


async def session_memory(served: Served, quick: bool) -> Figures:
    """Memory of a session with its socket and its pulled document."""
    count = 20 if quick else 100
    kept = await open_tabs(served, 5)
    before = await settled_memory(served)
    kept += await open_tabs(served, count)
    return {"memory_kb": (await settled_memory(served) - before) / count / 1000}


async def idle_sockets(served: Served, quick: bool) -> Figures:
    """Memory of an idle socket; all belong to one session and have pulled its document."""
    count = 300 if quick else 2000
    token, socket_at = await open_page(served.port, served.path)
    first = await together(20, lambda: join(served.port, socket_at, token))
    before = await settled_memory(served)
    kept = await together(count, lambda: join(served.port, socket_at, token))
    after = await settled_memory(served)
    alive = sum(not tab.connection.closed for tab in kept)
    close_tabs(first + kept)
    return {"memory_kb": (after - before) / count / 1000, "alive_percent": alive / count * 100}


async def settled_memory(served: Served) -> int:
    """The server's memory in bytes, after a moment without requests."""
    await asyncio.sleep(SETTLE_S)
    return served.memory_bytes()


async def leftover(served: Served, quick: bool) -> Figures:
    """Memory that stays of sessions that came and went, measured over the second half of them."""
    count = 60 if quick else 1000
    deadline_s = time.monotonic() + LEFTOVER_BUDGET_S
    half, done = 0, 0
    before = 0
    while done < count and time.monotonic() < deadline_s:
        if half == 0 and (done >= count // 2 or time.monotonic() > deadline_s - LEFTOVER_BUDGET_S / 2):
            half, before = done, await memory_of_nobody(served)
        close_tabs(await open_tabs(served, 10))
        done += 10
    after = await memory_of_nobody(served)
    return {"memory_kb": (after - before) / (done - half) / 1000, "sessions": done, "memory_mb": after / 1e6}


async def memory_of_nobody(served: Served) -> int:
    """The memory after every session had time to end; the request shows that the server is done with ending them."""
    await asyncio.sleep(3.0)
    await get(served.port, "/static/no-such-file")
    return await settled_memory(served)


async def closing(served: Served, quick: bool) -> Figures:
    """The longest stall that a live session sees while many sessions end at once."""
    live = await open_tab(served.port, served.path)
    others = await open_tabs(served, 20 if quick else 200)
    await stalls(live, 1.0)
    close_tabs(others)
    return {"stall_ms": max(await stalls(live, 4.0)) * 1000}


async def stalls(tab: Tab, at_least_s: float) -> list[float]:
    """The round trips of a slider moved every 10 ms, until they have been quick for a while."""
    slider, seen_s = tab.models("Slider")[0], []
    began_s = slow_s = time.monotonic()
    while (now_s := time.monotonic()) < began_s + STALL_BUDGET_S:
        if now_s > began_s + at_least_s and now_s > slow_s + QUIET_S:
            break
        seen_s.append(await tab.round_trip(slider, next_value()))
        slow_s = time.monotonic() if seen_s[-1] > 0.5 else slow_s
        await asyncio.sleep(0.01)
    return seen_s


async def first_page(served: Served, quick: bool) -> Figures:
    """The page and all its scripts as a browser asks for them: with no cache, then with what the cache may keep."""
    page, assets = await load(served)
    walls_s = []
    for _ in range(2 if quick else 5):
        began_s = time.monotonic()
        await load(served)
        walls_s.append(time.monotonic() - began_s)
    again = [await revisit(served, path, asset) for path, asset in assets.items() if not asset.fresh]
    return {
        "wire_kb": (page.wire_bytes + sum(asset.wire_bytes for asset in assets.values())) / 1000,
        "wall_ms": quantile(walls_s, 0.5) * 1000,
        "requests": 1 + len(assets),
        "immutable_percent": 100 * sum(asset.immutable for asset in assets.values()) / max(1, len(assets)),
        "again_kb": (page.wire_bytes + sum(asset.wire_bytes for asset in again)) / 1000,
        "again_requests": 1 + len(again),
    }


async def load(served: Served) -> tuple[Response, dict[str, Response]]:
    """The page and its assets by address; the page comes with gzip at most, which can be read here."""
    page = await get(served.port, served.path, {"Accept-Encoding": "gzip"})
    paths = assets_of(page.text)
    return page, {path: await get(served.port, path, BROWSER) for path in paths}


async def revisit(served: Served, path: str, kept: Response) -> Response:
    """The answer to a browser that has a copy and asks whether it is still valid."""
    return await get(served.port, path, BROWSER | kept.validators)
