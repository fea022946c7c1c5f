"""What a job calls: the function with its arguments, which can be sent to another process."""

from __future__ import annotations

import inspect
import os
import pickle
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from app_server.jobs.checking import is_async, label_of
from app_server.jobs.errors import JobCancelled
from app_server.jobs.reporting import Reporter, reporting_to


class Work:
    """A function and its arguments; calling it does the work.

    Where it is called, `progress` and `cancelled` reach the job if that lives in the same process, and otherwise do
    nothing. Pickled, by whichever executor, it contains the application's functions themselves (`packing`).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        key: str = "",
        process: int | None = None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = dict(kwargs)
        self.key = key or uuid4().hex
        self._process = os.getpid() if process is None else process

    def __call__(self) -> Any:
        reporter = _here.get(self.key)
        if reporter is None:
            if self._process == os.getpid():  # an executor may begin what was cancelled a moment ago
                raise JobCancelled
            return self.call()
        with reporting_to(reporter):
            return self.call()

    def call(self) -> Any:
        """What the function returns. JobError if that is a coroutine, which has done nothing yet."""
        value = self.function(*self.args, **self.kwargs)
        if inspect.iscoroutine(value):
            value.close()
            raise is_async(label_of(self.function))
        return value

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes, str, int]]:
        from app_server.jobs.running.packing import pack

        return unpacked, (pack(self.function, self.args, self.kwargs), self.key, self._process)


def unpacked(packed: bytes, key: str, process: int) -> Work:
    """The work that `packing.pack` has packed; whatever importing its modules may raise."""
    function, args, kwargs = pickle.loads(packed)
    return Work(function, args, kwargs, key, process)


_here: dict[str, Reporter] = {}
"""The jobs of this process whose functions may be running in it, by the keys of their work."""


def reach(work: Work, reporter: Reporter) -> None:
    """Let the function reach this reporter from now on, in whichever thread of this process it runs."""
    _here[work.key] = reporter


def forget(work: Work) -> None:
    """Let it reach nothing any more."""
    _here.pop(work.key, None)
