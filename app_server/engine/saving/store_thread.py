"""The one thread of a process that waits for the store, so the event loop never does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from app_server.observe.gauges import SavingGauges
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.store.base import Store
from app_server.store.errors import Busy, StoreError, TooSlow, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

_CLOSE_WITHIN_S = 5.0


class StoreThread:
    """Calls the store's methods one after another in a thread, which begins with the first call: maybe after a fork."""

    def __init__(self, store: Store, gauges: SavingGauges, tracing: Tracing = UNTRACED) -> None:
        self.store = store
        self._tracing = tracing
        self._gauges = gauges
        self.away = False
        """Whether the last attempt to use the store has failed."""
        self.surely_away = False
        """Whether it has failed for more than being slow or busy."""
        self.answered_s = 0.0
        """When the store answered last, by the monotonic clock."""
        self.stopped = False
        """Whether it calls nothing any more, because the process is about to end."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What the function returns, or raises. Unavailable if the process is about to end."""
        return await self.ask(function, *arguments, **named)

    def ask(self, function: Callable[..., T], *arguments: Any, **named: Any) -> asyncio.Future[T]:
        """What the function is to return, or to raise; it goes on if no one waits for it any more."""
        if self.stopped:
            raise Unavailable("the process is about to end")
        work = partial(self._answer, partial(function, *arguments, **named))
        name = f"store {getattr(function, '__name__', 'call').strip('_')}"
        return asyncio.get_running_loop().run_in_executor(self._executor, self._tracing.carried(name, work))

    def _answer(self, work: Callable[[], T]) -> T:
        try:
            answer = work()
        except TooSlow:
            raise
        except BaseException:
            self.answered_s = time.monotonic()
            raise
        self.answered_s = time.monotonic()
        return answer

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call the function soon, from any thread; it must not raise. A store that is closed has left everything."""
        if not self.stopped:
            self._executor.submit(function, *arguments)

    def note_away(self, error: Exception) -> None:
        """Log, once, that the store cannot be used."""
        self.surely_away = self.surely_away or not isinstance(error, Busy | TimeoutError)
        if not self.away:
            self.away = True
            self._gauges.note_away(True)
            log.error("Sessions are not saved at the moment: %s", str(error) or "the store does not answer")

    def note_back(self) -> None:
        """Log, once, that the store can be used again."""
        if self.away:
            self.away = self.surely_away = False
            self._gauges.note_away(False)
            log.info("Sessions are saved again")

    async def stop(self) -> None:
        """Close the store, which leaves all sessions that are still owned, and begin no more calls."""
        closing = self.ask(self.store.close)
        self.stopped = True
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await closing
        except (TimeoutError, StoreError) as error:
            log.warning("The store of sessions could not be closed: %s", str(error) or "it does not answer")
        self._executor.shutdown(wait=False, cancel_futures=True)
