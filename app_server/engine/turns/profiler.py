"""Takes samples of what one session's callbacks do, from another thread, while it is asked to.

A sample stands for the time since the one before it: while native code holds Python's global lock, this thread waits,
and then finds the call that it came from. Only the loop's own thread is looked at, and only while this session's work
runs there; the callbacks are not slowed down but by the sampler's own turns, some hundred microseconds each second.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from app_server.engine.loop import EngineLoop
from app_server.observe.profile import Call, ProfileTree
from app_server.session.naming import LogName

EVERY_S: Final = 0.002
LONGEST_S: Final = 60.0
_LOOK_S: Final = 0.1
"""How often it is looked whether the session is still there."""

_DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """What was sampled: for how long, how long of it callbacks ran, and the calls as `ProfileTree.as_json` has them."""

    duration_s: float
    busy_s: float
    calls: list[list[Any]]


async def profile_session(
    loop: EngineLoop, session: LogName, duration_s: float, is_over: Callable[[], bool]
) -> Profile:
    """Sample the session's callbacks for so long, or until it is over. Call it in the loop of the session."""
    sampler = _Sampler(loop, session)
    began_s = time.monotonic()
    sampler.start()
    try:
        while not is_over() and (left_s := began_s + min(duration_s, LONGEST_S) - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, _LOOK_S))
    finally:
        sampler.stop()
    return Profile(time.monotonic() - began_s, sampler.tree.root.total_s, sampler.tree.as_json())


class _Sampler:
    def __init__(self, loop: EngineLoop, session: LogName) -> None:
        self.tree = ProfileTree()
        self._stack = loop.running.stack
        self._session = (session.application, session.session)
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profiler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        last_s = time.monotonic()
        while not self._stopped.wait(EVERY_S):
            now_s = time.monotonic()
            if self._is_running():
                frame = sys._current_frames().get(self._watched)
                self.tree.add(_calls(frame), now_s - last_s)
            last_s = now_s

    def _is_running(self) -> bool:
        """Whether the innermost work of the loop is this session's."""
        found = self._stack[-1:]
        return bool(found) and (found[0].name.application, found[0].name.session) == self._session


def _calls(frame: FrameType | None) -> list[Call]:
    """The functions of a stack, the outermost first."""
    found: list[Call] = []
    while frame is not None and len(found) < _DEEPEST:
        code = frame.f_code
        found.append(Call(code.co_qualname, code.co_filename, code.co_firstlineno))
        frame = frame.f_back
    found.reverse()
    return found
