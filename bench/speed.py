"""The speed of pages, new sessions, round trips and pushes."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable

from app_server.load.wire import Message, set_value
from bench.client import Tab, join, open_page, open_tab
from bench.load import Figures, Meter, close_tabs, next_value, open_tabs, quantile, spread_ms, warm_up
from bench.servers import Served

PUSH_HZ = 20
PUSH_COLUMNS = 5
STAMP = struct.Struct("<d")
OFFERED_HZ = 300
SEED = 7
ANSWER_TIMEOUT_S = 15.0
FAN_OUT = 20


async def page(served: Served, quick: bool) -> Figures:
    """GET of the page, which creates a session; no socket follows."""
    return await repeat(served, 8 if quick else 20, lambda: open_page(served.port, served.path))


async def open_sliders(served: Served, quick: bool) -> Figures:
    """Page, socket, ACK, document pulled; the small application."""
    return await repeat(served, 8 if quick else 20, lambda: open_tab(served.port, served.path))


async def open_dashboard(served: Served, quick: bool) -> Figures:
    """Page, socket, ACK, document pulled; the large application."""
    return await repeat(served, 2 if quick else 4, lambda: open_tab(served.port, served.path))


async def repeat(served: Served, count: int, act: Callable[[], Awaitable[object]]) -> Figures:
    """Call it this often, one after the other, and keep the results until the end."""
    await warm_up(served)
    meter = Meter(served)
    kept, walls_s = [], []
    for _ in range(count):
        began_s = time.monotonic()
        kept.append(await act())
        walls_s.append(time.monotonic() - began_s)
    figures = {"cpu_ms": meter.cpu_ms_each(count), "wall_ms": quantile(walls_s, 0.5) * 1000}
    close_tabs(each for each in kept if isinstance(each, Tab))
    return figures


async def round_trip(served: Served, quick: bool) -> Figures:
    """One slider of one session, moved again as soon as the answer is there."""
    tab = await open_tab(served.port, served.path)
    await move(tab, until_s=time.monotonic() + 1.5)
    meter = Meter(served)
    latencies_s = await move(tab, until_s=time.monotonic() + (1.5 if quick else 4.0))
    return {**spread_ms(latencies_s), "cpu_ms": meter.cpu_ms_each(len(latencies_s))}


async def move(tab: Tab, until_s: float) -> list[float]:
    """Move the tab's first slider until then, and give the round trips in seconds."""
    slider, latencies_s = tab.models("Slider")[0], []
    while time.monotonic() < until_s:
        latencies_s.append(await tab.round_trip(slider, next_value()))
    return latencies_s


def closed_loop(sessions: int) -> Callable[[Served, bool], Awaitable[Figures]]:
    """The scenario in which this many sessions each move a slider again as soon as they are answered."""

    async def run(served: Served, quick: bool) -> Figures:
        tabs = await open_tabs(served, sessions)
        await move_all(tabs, 1.0)
        meter = Meter(served)
        latencies_s = await move_all(tabs, 2.0 if quick else 5.0)
        return {
            "trips_per_s": len(latencies_s) / meter.wall_s(),
            "cpu_ms": meter.cpu_ms_each(len(latencies_s)),
            "client_busy_percent": meter.client_busy_percent(),
            **spread_ms(latencies_s),
        }

    return run


async def move_all(tabs: list[Tab], duration_s: float) -> list[float]:
    """Move a slider of every tab for this long; all round trips in seconds."""
    until_s = time.monotonic() + duration_s
    return sum(await asyncio.gather(*(move(tab, until_s) for tab in tabs)), [])


async def offered(served: Served, quick: bool) -> Figures:
    """Changes at a given rate over 50 sessions, whether the server keeps up or not.

    Users do not coordinate: who moves next and when is random (a Poisson process), but the same in every run.
    """
    tabs = await open_tabs(served, 50)
    await move_all(tabs, 1.0)
    count, meter = OFFERED_HZ * (3 if quick else 8), Meter(served)
    latencies_s, latest_s = await offer(tabs, count, random.Random(SEED))
    return {**spread_ms(latencies_s), "cpu_ms": meter.cpu_ms_each(count), "sent_late_ms": latest_s * 1000}


async def offer(
    tabs: list[Tab], count: int, users: random.Random, rate_hz: int = OFFERED_HZ
) -> tuple[list[float], float]:
    """Move sliders so often at this rate: the round trips, of which some may be infinite, and how late we were."""
    sliders = [tab.models("Slider")[0] for tab in tabs]
    latencies_s: list[float] = []
    waiting: list[deque[float]] = [deque() for _ in tabs]

    def answered_by(index: int) -> Callable[[Message], None]:
        def take(message: Message) -> None:
            if message.kind == "PATCH-DOC" and waiting[index]:
                latencies_s.append(message.arrived_s - waiting[index].popleft())

        return take

    for index, tab in enumerate(tabs):
        tab.connection.on_message = answered_by(index)
    due_s, latest_s = time.monotonic(), 0.0
    for _ in range(count):
        due_s += users.expovariate(rate_hz)
        await asyncio.sleep(due_s - time.monotonic())
        latest_s = max(latest_s, time.monotonic() - due_s)
        index = users.randrange(len(tabs))
        waiting[index].append(time.monotonic())
        tabs[index].connection.send("PATCH-DOC", set_value(sliders[index], next_value()))
    await settle(lambda: not any(waiting))
    return latencies_s + [float("inf")] * (count - len(latencies_s)), latest_s


async def settle(done: Callable[[], bool]) -> None:
    """Wait until this is true, but not forever."""
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    while not done() and time.monotonic() < deadline_s:
        await asyncio.sleep(0.05)


async def push(served: Served, quick: bool) -> Figures:
    """Every session pushes 1000 x 5 doubles each 50 ms; the application puts the time into each column."""
    tabs = await open_tabs(served, 10 if quick else 30)
    arrivals_s: list[list[float]] = [[] for _ in tabs]
    ages_s: list[float] = []

    def taker(mine: list[float]) -> Callable[[Message], None]:
        def take(message: Message) -> None:
            for first in range(0, len(message.buffers), PUSH_COLUMNS):
                mine.append(message.arrived_s)
                ages_s.append(message.arrived_s - STAMP.unpack_from(message.buffers[first])[0])

        return take

    await asyncio.sleep(1.0)
    for tab, mine in zip(tabs, arrivals_s, strict=True):
        tab.connection.on_message = taker(mine)
    meter = Meter(served)
    await asyncio.sleep(3.0 if quick else 8.0)
    delivered = len(ages_s)
    return {
        "delivered_percent": min(100.0, delivered / (PUSH_HZ * len(tabs) * meter.wall_s()) * 100),
        "cpu_ms": meter.cpu_ms_each(delivered),
        "client_busy_percent": meter.client_busy_percent(),
        "late_p50_ms": quantile((late for mine in arrivals_s for late in behind_the_grid(mine)), 0.5) * 1000,
        **spread_ms(ages_s),
    }


def behind_the_grid(arrivals_s: list[float]) -> list[float]:
    """How late each arrival is against ticks exactly one period apart, of which the earliest arrival meets its own."""
    offsets_s = [arrived_s - number / PUSH_HZ for number, arrived_s in enumerate(arrivals_s)]
    return [offset_s - min(offsets_s) for offset_s in offsets_s]


async def properties(served: Served, quick: bool) -> Figures:
    """One callback changes 100 properties; until the OK that follows all of them."""
    tab = await open_tab(served.port, served.path)
    slider = tab.models("Slider")[0]
    meter = Meter(served)
    frames: list[float] = []
    walls_s: list[float] = []
    for _ in range(8 if quick else 25):
        sent_s, count = time.monotonic(), 0
        tab.connection.send("PATCH-DOC", set_value(slider, next_value()))
        while (got := await tab.connection.receive()).kind == "PATCH-DOC":
            count += got.frames
        frames.append(count + got.frames)
        walls_s.append(got.arrived_s - sent_s)
    return {"frames": quantile(frames, 0.5), "cpu_ms": meter.cpu_ms_each(len(frames)), **spread_ms(walls_s)}


async def fan_out(served: Served, quick: bool) -> Figures:
    """Twenty tabs of one session: from the change in one of them until the last one has the result."""
    token, socket_at = await open_page(served.port, served.path)
    tabs = [await join(served.port, socket_at, token) for _ in range(FAN_OUT)]
    slider = tabs[0].models("Slider")[0]
    source = f'"{tabs[0].models("ColumnDataSource")[0]}"'.encode()
    arrivals: asyncio.Queue[float] = asyncio.Queue()

    def take(message: Message) -> None:
        if message.kind == "PATCH-DOC" and source in message.content:
            arrivals.put_nowait(message.arrived_s)

    for tab in tabs:
        tab.connection.on_message = take
    walls_s, meter = [], Meter(served)
    for _ in range(10 if quick else 40):
        sent_s = time.monotonic()
        tabs[0].connection.send("PATCH-DOC", set_value(slider, next_value()))
        walls_s.append(max([await arrivals.get() for _ in tabs]) - sent_s)
    return {**spread_ms(walls_s), "cpu_ms": meter.cpu_ms_each(len(walls_s))}
