"""What saving sessions adds: to round trips, to the processor's work, and to opening one that is restored."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from app_server.load.wire import set_value
from bench import holding
from bench.client import Tab, get, join, open_page
from bench.load import Figures, Meter, close_tabs, next_value, open_tabs, quantile, together
from bench.servers import OURS, Launch, Served, serving
from bench.speed import SEED, move_all, offer

TURNS, TURN_CHANGES = 4, 600
MANY, MANY_S = 1000, 10
EACH_S = 1.0
RESTORED = 40


@asynccontextmanager
async def saving(launch: Launch) -> AsyncIterator[Served]:
    """Another server, which saves its sessions in a folder."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "sessions"
        server = serving(OURS, replace(launch, ours=("--store", str(folder))), folder)
        served = await asyncio.to_thread(server.__enter__)
        stack.push_async_exit(lambda *error: asyncio.to_thread(server.__exit__, *error))
        yield served


async def saved_sliders(served: Served, quick: bool) -> Figures:
    """Changes at a given rate over 50 sessions, by turns at a server that saves them and at one that does not."""
    async with saving(Launch(served.app)) as other:
        servers = {"off": served, "saved": other}
        tabs = {name: await open_tabs(server, 50) for name, server in servers.items()}
        for each in tabs.values():
            await move_all(each, 1.0)
        meters = {name: Meter(server) for name, server in servers.items()}
        latencies_s: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(1 if quick else TURNS):
            for name in servers:
                latencies_s[name] += (await offer(tabs[name], TURN_CHANGES, random.Random(SEED + turn)))[0]
                await asyncio.sleep(2 * EACH_S)  # what it has to save disturbs no one
        cpu_ms = {name: meter.cpu_ms_each(len(latencies_s[name])) for name, meter in meters.items()}
    p99_ms = {name: quantile(each, 0.99) * 1000 for name, each in latencies_s.items()}
    return {
        **{f"{name}_cpu_ms": value for name, value in cpu_ms.items()},
        **{f"{name}_p99_ms": value for name, value in p99_ms.items()},
        "added_cpu_percent": added_percent(cpu_ms),
        "added_p99_percent": added_percent(p99_ms),
    }


def added_percent(figures: dict[str, float]) -> float:
    """By how much the second of two figures is larger than the first."""
    before, after = figures.values()
    return (after / before - 1) * 100


async def saved_many(served: Served, quick: bool) -> Figures:
    """What saving adds to the work of one core while 1000 sessions change once a second."""
    count = 100 if quick else MANY
    async with saving(Launch(served.app)) as other:
        percent = {name: await busy_percent(server, count) for name, server in (("off", served), ("saved", other))}
    figures = {f"{name}_percent": value for name, value in percent.items()}
    return {**figures, "added_percent": percent["saved"] - percent["off"]}


async def busy_percent(served: Served, count: int) -> float:
    """How busy the server is with so many sessions, each of which moves a slider once a second."""
    tabs = await open_tabs(served, count)
    for tab in tabs:
        tab.connection.on_message = lambda _: None
    await once_a_second(tabs, 3)
    meter = Meter(served)
    await once_a_second(tabs, MANY_S)
    busy = meter.cpu_ms_each(1) / meter.wall_s() / 10
    close_tabs(tabs)
    return busy


async def once_a_second(tabs: list[Tab], seconds: int) -> None:
    """Move a slider of each tab once a second, one after the other."""
    sliders = [tab.models("Slider")[0] for tab in tabs]
    due_s = time.monotonic()
    for _ in range(seconds):
        for tab, slider in zip(tabs, sliders, strict=True):
            due_s += EACH_S / len(tabs)
            await asyncio.sleep(due_s - time.monotonic())
            tab.connection.send("PATCH-DOC", set_value(slider, next_value()))


async def restored(served: Served, quick: bool) -> Figures:
    """A socket whose session has ended: the application starts again, and gets back what was saved of it, or not."""
    count = 8 if quick else RESTORED
    launch = Launch(served.app, 1000, 200)
    async with saving(launch) as other:
        figures = {
            "built_ms": await reopened_ms(served, count, saves=False),
            "restored_ms": await reopened_ms(other, count, saves=True),
        }
    return {**figures, "added_ms": figures["restored_ms"] - figures["built_ms"]}


async def reopened_ms(served: Served, count: int, *, saves: bool) -> float:
    """How long it takes to join a session again that was changed, left, and has ended: the median."""
    pages = await together(count, lambda: open_page(served.port, served.path))
    tabs = [await join(served.port, socket_at, token) for token, socket_at in pages]
    values = [next_value() for _ in tabs]
    for tab, value in zip(tabs, values, strict=True):
        for slider in tab.models("Slider"):
            await tab.round_trip(slider, value)
    close_tabs(tabs)
    await asyncio.sleep(3.0)
    await get(served.port, "/static/no-such-file")  # answered when the sessions have ended
    walls_s = []
    for (token, socket_at), value in zip(pages, values, strict=True):
        began_s = time.monotonic()
        tab = await join(served.port, socket_at, token)
        walls_s.append(time.monotonic() - began_s)
        has_value = f'"value":{value}'.encode() in tab.reply.content
        if has_value is not saves:
            raise RuntimeError("a session that was to be restored was not" if saves else "a session had not ended")
    return quantile(walls_s, 0.5) * 1000


async def leftover(served: Served, quick: bool) -> Figures:
    """Memory that stays of sessions that came, were saved, and sleep, once the heap has the size that it keeps."""
    async with saving(Launch(served.app, 1000, 1000)) as other:
        figures = {}
        for name, server in (("off", served), ("saved", other)):
            await holding.leftover(server, quick)
            found = await holding.leftover(server, quick)
            figures |= {f"{name}_kb": found["memory_kb"], f"{name}_mb": found["memory_mb"]}
    return figures
