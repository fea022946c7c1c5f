"""What an application has given to executors, as `asyncio.to_thread` does: an action ends when they have returned."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

_EXECUTORS: tuple[Any, ...] = (ThreadPoolExecutor, ProcessPoolExecutor)


class ExecutorCalls:
    """The functions that one loop has given to executors and that have not returned."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._names: dict[Future[Any], str] = {}
        self._over: WeakSet[Future[Any]] = WeakSet()

    @property
    def names(self) -> list[str]:
        """The names of the functions that have not returned."""
        with self._lock:
            return list(self._names.values())

    def forget(self) -> None:
        """Wait for none of those that were begun so far."""
        with self._lock:
            self._names.clear()

    def begun(self, future: Future[Any], function: Callable[..., Any]) -> None:
        """A function was given to an executor."""
        if asyncio._get_running_loop() is self._loop:
            with self._lock:
                if future not in self._over:
                    self._names[future] = getattr(function, "__qualname__", None) or repr(function)

    def over(self, future: Future[Any]) -> None:
        """A function has returned, and what awaits it knows; in any thread, and maybe before `begun`."""
        with self._lock:
            if self._names.pop(future, None) is None:
                self._over.add(future)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A block in which they are noted."""
        _ALL.add(self)
        try:
            yield
        finally:
            _ALL.remove(self)


class _Noting:
    """The calls of all loops that are noted; while there are any, executors say what they are given."""

    def __init__(self) -> None:
        self._calls: list[ExecutorCalls] = []
        self._stock: list[tuple[Any, str, Any]] = []

    def add(self, calls: ExecutorCalls) -> None:
        self._calls.append(calls)
        if len(self._calls) == 1:
            for kind in _EXECUTORS:
                self._replace(kind, "submit", self._submit)
            self._replace(Future, "_invoke_callbacks", self._invoke)

    def remove(self, calls: ExecutorCalls) -> None:
        self._calls.remove(calls)
        while self._stock and not self._calls:
            _put(*self._stock.pop())

    def _replace(self, kind: Any, name: str, made: Callable[[Any], Any]) -> None:
        self._stock.append((kind, name, vars(kind)[name]))
        _put(kind, name, made(vars(kind)[name]))

    def _submit(self, stock: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
        def submit(executor: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = stock(executor, function, *args, **kwargs)
            for calls in list(self._calls):
                calls.begun(future, function)
            return future

        return submit

    def _invoke(self, stock: Callable[[Future[Any]], None]) -> Callable[[Future[Any]], None]:
        def invoke(future: Future[Any]) -> None:
            # A callback of the future's would come before the one by which asyncio hears of its end.
            stock(future)
            for calls in list(self._calls):
                calls.over(future)

        return invoke


def _put(kind: Any, name: str, method: Any) -> None:
    setattr(kind, name, method)


_ALL = _Noting()
