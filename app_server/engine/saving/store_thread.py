"""The one thread of a process that waits for the store, so the event loop never does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from app_server.observe.gauges import SavingGauges
from app_server.store.base import Store
from app_server.store.errors import StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")

_CLOSE_WITHIN_S = 5.0


class StoreThread:
    """Calls the store's methods one after another in a thread, which begins with the first call: maybe after a fork."""

    def __init__(self, store: Store, gauges: SavingGauges) -> None:
        self.store = store
        self._gauges = gauges
        self.away = False
        """Whether the last attempt to use the store has failed."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What the function returns, or raises."""
        work = partial(function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call the function soon, from any thread; it must not raise."""
        self._executor.submit(function, *arguments)

    def note_away(self, error: Exception) -> None:
        """Log, once, that the store cannot be used."""
        if not self.away:
            self.away = True
            self._gauges.note_away(True)
            log.error("Sessions are not saved at the moment: %s", str(error) or "the store does not answer")

    def note_back(self) -> None:
        """Log, once, that the store can be used again."""
        if self.away:
            self.away = False
            self._gauges.note_away(False)
            log.info("Sessions are saved again")

    async def stop(self) -> None:
        """Close the store, which leaves all sessions that are still owned, and begin no more calls."""
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self.call(self.store.close)
        except (TimeoutError, StoreError) as error:
            log.warning("The store of sessions could not be closed: %s", str(error) or "it does not answer")
        self._executor.shutdown(wait=False, cancel_futures=True)
