"""Several processes: sessions that are opened at the same time, and one that must not block the others."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from app_server.load.wire import set_value
from bench.client import Tab, open_tab
from bench.load import AT_ONCE, Figures, close_tabs, next_value, open_tabs, quantile, spread_ms
from bench.servers import Served, family

OPENERS = 8
OTHERS, STUCK_ROUNDS = 20, 16
EVERY_S = 60.0
SETTLE_S = 3.0
PARTS = 20


def minutes() -> float:
    """For how long sessions are held: five minutes, or what BENCH_MINUTES says."""
    return float(os.environ.get("BENCH_MINUTES", "5"))


def count(name: str, default: int) -> int:
    """This number, or the value of the variable if it is set."""
    return int(os.environ.get(name, default))


async def opens(served: Served, quick: bool) -> Figures:
    """Sessions that several clients open and close for a while, without waiting for each other."""
    seconds = 4.0 if quick else 15.0
    await _open_until(served, time.monotonic() + seconds / 3)
    began_s = time.monotonic()
    taken_s = await _open_until(served, began_s + seconds)
    return {"opens_per_s": len(taken_s) / (time.monotonic() - began_s), **spread_ms(taken_s)}


async def _open_until(served: Served, end_s: float) -> list[float]:
    """How long each took."""
    taken_s: list[float] = []

    async def opener() -> None:
        while time.monotonic() < end_s:
            began_s = time.monotonic()
            tab = await open_tab(served.port, served.path)
            taken_s.append(time.monotonic() - began_s)
            tab.connection.close()

    await asyncio.gather(*(opener() for _ in range(OPENERS)))
    return taken_s


async def stuck(served: Served, quick: bool) -> Figures:
    """The round trips of sessions while another one is in an endless loop, and while it is stopped, in turns.

    `noise_percent` compares every other time in which it is stopped with the rest of them: less than that is chance.
    """
    tabs = await open_tabs(served, OTHERS)
    others = set(family(served.pid))
    victim = await open_tab(served.port, served.path)
    (pid,) = set(family(served.pid)) - others
    seconds = (8.0 if quick else 32.0) / STUCK_ROUNDS
    await _trips(tabs, seconds)
    victim.connection.send("PATCH-DOC", _loop_for_ever(victim))
    await asyncio.sleep(1.0)  # its priority is lowered after half a second at the latest
    during: list[float] = []
    beside: tuple[list[float], list[float]] = [], []
    # In turns, because what else the machine does changes more in a quarter of a minute than this does.
    for number in range(STUCK_ROUNDS):
        during += await _trips(tabs, seconds)
        os.kill(pid, signal.SIGSTOP)
        beside[number % 2].extend(await _trips(tabs, seconds))
        os.kill(pid, signal.SIGCONT)
    close_tabs([*tabs, victim])
    stopped_ms, during_ms, *halves_ms = (quantile(found, 0.99) * 1000 for found in (sum(beside, []), during, *beside))
    return {
        "stopped_p99_ms": stopped_ms, "during_p99_ms": during_ms, "change_percent": (during_ms / stopped_ms - 1) * 100,
        "noise_percent": (max(halves_ms) / min(halves_ms) - 1) * 100,
    }  # fmt: skip


def _loop_for_ever(tab: Tab) -> bytes:
    return set_value(tab.models("Slider")[0], -1)


async def _trips(tabs: list[Tab], seconds: float) -> list[float]:
    """The round trips of sliders that are moved ten times a second, not all of them at the same moment."""
    end_s = time.monotonic() + seconds
    taken_s: list[float] = []

    async def mover(number: int, tab: Tab) -> None:
        slider = tab.models("Slider")[0]
        await asyncio.sleep(0.1 * number / len(tabs))
        while time.monotonic() < end_s:
            taken_s.append(await tab.round_trip(slider, next_value()))
            await asyncio.sleep(0.1)

    await asyncio.gather(*(mover(number, tab) for number, tab in enumerate(tabs)))
    return taken_s


async def held(served: Served, quick: bool) -> Figures:
    """Many sessions with processes of their own, each moved once a minute."""
    many = count("BENCH_HELD", 50 if quick else 1000)
    began_s = time.monotonic()
    tabs = await open_tabs(served, many)
    opened_s = time.monotonic() - began_s
    taken_s: list[float] = []
    rounds = max(1, round(minutes())) if not quick else 1

    async def user(number: int, tab: Tab) -> None:
        slider = tab.models("Slider")[0]
        pause_s = EVERY_S if not quick else 5.0
        await asyncio.sleep(pause_s * number / many)
        for _ in range(rounds):
            taken_s.append(await tab.round_trip(slider, next_value()))
            await asyncio.sleep(pause_s)

    await asyncio.gather(*(user(number, tab) for number, tab in enumerate(tabs)), return_exceptions=True)
    lost = sum(tab.connection.closed for tab in tabs) + max(0, many * rounds - len(taken_s))
    private = private_bytes(served.pid)
    close_tabs(tabs)
    return {
        "sessions": many, "lost": lost, "open_s": opened_s, "private_kb": private / many / 1000, **spread_ms(taken_s),
    }  # fmt: skip


async def came_and_went(served: Served, quick: bool) -> Figures:
    """Memory after many sessions, compared with that after the first twentieth of them.

    Each twentieth ends before the next one begins. What stays is the memory of the moment at which most sessions lived,
    which therefore has to be alike early and late.
    """
    part = count("BENCH_CAME", 400 if quick else 10_000) // PARTS
    left: list[int] = []
    for _ in range(PARTS):
        for _ in range(0, part, AT_ONCE):
            close_tabs(await open_tabs(served, AT_ONCE))
        await asyncio.sleep(SETTLE_S)
        left.append(private_bytes(served.pid))
    early, late = left[0], left[-1]
    growth_percent = (late / early - 1) * 100
    return {"sessions": part * PARTS, "early_mb": early / 1e6, "late_mb": late / 1e6, "growth_percent": growth_percent}


def private_bytes(pid: int) -> int:
    """The sum of the private memory of these processes."""
    total = 0
    for each in family(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        private = [line for line in lines if line.startswith(("Private_Dirty:", "Private_Clean:"))]
        total += sum(int(line.split()[1]) * 1024 for line in private)
    return total
