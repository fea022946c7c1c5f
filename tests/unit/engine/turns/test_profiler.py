"""Profiles of one session's callbacks, taken from real ones."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from app_server.engine.loop import EngineLoop
from app_server.engine.running import Job, Noted
from app_server.engine.turns.profiler import Profile, profile_session
from app_server.observe.profile import Bar, flame
from app_server.session.naming import LogName
from tests.support.waiting import until_soon

ONE = LogName("/app session one…", application="/app", session="one")
OTHER = LogName("/app session two…", application="/app", session="two")


def work(duration_s: float) -> None:
    """Keep a core busy."""
    end_s = time.thread_time() + duration_s
    while time.thread_time() < end_s:
        pass


def others_work(duration_s: float) -> None:
    """The same, by another name."""
    end_s = time.thread_time() + duration_s
    while time.thread_time() < end_s:
        pass


async def run(loop: EngineLoop, name: LogName, call: Callable[[], None]) -> None:
    """Let a callback of this session run."""

    async def called() -> None:
        call()

    await Noted(loop.running, Job(name), called())


def bars(profile: Profile) -> dict[str, Bar]:
    """The bars of a profile by the names of the functions."""
    return {bar.name: bar for bar in flame(profile.calls)}


def test_only_this_sessions_callbacks_are_sampled() -> None:
    async def live() -> Profile:
        loop = EngineLoop(asyncio.get_running_loop())
        profiling = asyncio.ensure_future(profile_session(loop, ONE, 60.0, lambda: done))
        done = False
        await asyncio.sleep(0)
        for _ in range(5):
            await run(loop, ONE, lambda: work(0.03))
            await run(loop, OTHER, lambda: others_work(0.03))
            await asyncio.sleep(0)
        done = True
        return await profiling

    found = asyncio.run(live())
    shown = bars(found)
    assert "others_work" not in shown
    assert shown["work"].total_s > 0.05
    assert shown["work"].where.partition(":")[0] == __file__
    assert found.busy_s >= shown["work"].total_s - 1e-5  # rounded
    assert found.duration_s < 60


def test_profile_of_a_session_that_does_nothing_is_empty() -> None:
    async def live() -> Profile:
        return await profile_session(EngineLoop(asyncio.get_running_loop()), ONE, 0.05, lambda: False)

    found = asyncio.run(live())
    assert found.busy_s == 0 and [bar.name for bar in flame(found.calls)] == ["all callbacks"]
    assert found.duration_s >= 0.05


def test_profile_ends_with_its_session() -> None:
    async def live() -> None:
        over = asyncio.Event()
        loop = EngineLoop(asyncio.get_running_loop())
        profiling = asyncio.ensure_future(profile_session(loop, ONE, 1e9, over.is_set))
        await asyncio.sleep(0)
        assert not profiling.done()
        over.set()
        await until_soon(profiling.done)

    asyncio.run(live())


def test_cancelled_profile_leaves_no_thread() -> None:
    async def live() -> None:
        profiling = asyncio.ensure_future(
            profile_session(EngineLoop(asyncio.get_running_loop()), ONE, 60.0, lambda: False)
        )
        await asyncio.sleep(0)
        profiling.cancel()
        await asyncio.gather(profiling, return_exceptions=True)
        assert "profiler" not in {thread.name for thread in threading.enumerate()}

    asyncio.run(live())
