"""How soon Chromium has drawn a page, with an empty cache and a full one, near the server and far from it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bench.load import Figures, quantile
from bench.servers import Served

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

LINE = {"offline": False, "latency": 40, "downloadThroughput": 10e6 / 8, "uploadThroughput": 10e6 / 8}
"""10 Mbit/s, 40 ms for each round trip, as Chromium emulates it."""

_DRAWN = "() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle"
_QUIET = "() => performance.getEntriesByType('resource').filter((one) => one.name.includes('/bokeh')).length >= 5"


async def drawn(served: Served, quick: bool) -> Figures:
    """Beside the server."""
    return await _drawn(served, 6 if quick else 16)


async def drawn_at_a_distance(served: Served, quick: bool) -> Figures:
    """At the end of a line of 10 Mbit/s, 40 ms away."""
    return await _drawn(served, 4 if quick else 10, LINE)


async def _drawn(served: Served, times: int, line: dict[str, object] | None = None) -> Figures:
    """The time from going to a page until its plot is drawn, without and with BokehJS in the browser's cache."""
    cold_s: list[float] = []
    warm_s: list[float] = []
    async with _chromium() as browser:
        for number in range(times):
            context = await browser.new_context()
            page = await context.new_page()
            if line is not None:
                session = await context.new_cdp_session(page)
                await session.send("Network.emulateNetworkConditions", line)
            first_s = await _time_to_draw(page, served)
            await page.wait_for_function(_QUIET)
            again_s = await _time_to_draw(page, served)
            await context.close()
            if number:  # the first one starts processes of the browser
                cold_s.append(first_s)
                warm_s.append(again_s)
    return {"cold_ms": quantile(cold_s, 0.5) * 1000, "drawn_ms": quantile(warm_s, 0.5) * 1000}


@asynccontextmanager
async def _chromium() -> AsyncIterator[Browser]:
    """A Chromium that may use all cores: it has more to do than a load generator."""
    from playwright.async_api import async_playwright

    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            yield browser
            await browser.close()
    finally:
        os.sched_setaffinity(0, ours)


async def _time_to_draw(page: Page, served: Served) -> float:
    began_s = time.monotonic()
    await page.goto(f"http://localhost:{served.port}{served.path}", wait_until="commit")
    await page.wait_for_function(_DRAWN)
    return time.monotonic() - began_s
