"""What the scenarios share: their type, their clock and their statistics."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from app_server.load.statistics import quantile
from bench.client import Tab, open_tab
from bench.servers import Launch, Served

Figures = dict[str, float]
"""Figures by name; the name ends in the unit."""

Done = TypeVar("Done")
WARM_UP_OPENS = 2
AT_ONCE = 10


@dataclass(frozen=True)
class Scenario:
    """One load: the server it wants, how it is run (the second argument: quickly), how often, and for how long."""

    name: str
    says: str
    launch: Launch
    run: Callable[[Served, bool], Awaitable[Figures]]
    repetitions: int = 1
    on_canned: bool = True
    in_quick: bool = True
    on_stock: bool = True
    timeout_s: float = 200.0

    @property
    def on_asgi(self) -> bool:
        """Whether it is run at uvicorn, too: where the stock server takes part, with one process."""
        return self.on_stock and not self.launch.all_cores


class Meter:
    """Wall and processor time of a server since this was made."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._wall_s = time.monotonic()
        self._cpu_s = served.cpu_s()
        self._client_s = time.process_time()

    def wall_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._wall_s

    def cpu_ms_each(self, times: int) -> float:
        """The server's processor time in milliseconds for each of this many."""
        return (self._served.cpu_s() - self._cpu_s) * 1000 / max(1, times)

    def client_busy_percent(self) -> float:
        """How much of its core the load generator itself used: far below 100, or the figures are its own."""
        return (time.process_time() - self._client_s) / self.wall_s() * 100


def spread_ms(latencies_s: list[float]) -> Figures:
    """Median and 99th percentile of seconds, in milliseconds."""
    return {"p50_ms": quantile(latencies_s, 0.5) * 1000, "p99_ms": quantile(latencies_s, 0.99) * 1000}


_moves = itertools.count(1)


def next_value() -> float:
    """A value in a slider's range that no slider has now, because an unchanged value causes no patch."""
    return (next(_moves) % 5000 + 1) / 1000


async def together(count: int, act: Callable[[], Awaitable[Done]]) -> list[Done]:
    """The results of this many calls, `AT_ONCE` at a time, so waits for a delayed ACK overlap."""
    done: list[Done] = []
    while len(done) < count:
        done += await asyncio.gather(*(act() for _ in range(min(AT_ONCE, count - len(done)))))
    return done


async def open_tabs(served: Served, count: int) -> list[Tab]:
    """This many new sessions."""
    return await together(count, lambda: open_tab(served.port, served.path))


async def warm_up(served: Served) -> None:
    """Have the server do once what it does only once."""
    close_tabs(await open_tabs(served, WARM_UP_OPENS))


def close_tabs(tabs: Iterable[Tab]) -> None:
    """Close them all at once."""
    for tab in tabs:
        tab.connection.close()
