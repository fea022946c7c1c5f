"""The one thread of a process that waits for the store, so the event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class StoreThread:
    """Calls functions one after another in a thread; it begins with the first call, which may be after a fork."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What the function returns, or raises."""
        work = partial(function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call the function soon, from any thread; it must not raise."""
        self._executor.submit(function, *arguments)

    def stop(self) -> None:
        """Begin no more calls; the one that is under way goes on, but is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)
