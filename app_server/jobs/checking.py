"""What is submitted, checked before it is queued, and what it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from app_server.jobs.errors import JobError

_HINT_ASYNC = "Pass a plain function; asynchronous work can run in a callback: curdoc().add_next_tick_callback"


def label_of(function: Any) -> str:
    """What a function is called in errors and in the log."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


def check(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise JobError if this cannot be called with these arguments, or has to be awaited."""
    if not callable(function):
        raise JobError(f"{function!r} is not a function", where="submit", hint="Pass the function and its arguments")
    bare = function
    while isinstance(bare, functools.partial):
        bare = bare.func
    label = label_of(function)
    if any(test(bare) for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)):
        raise JobError("is async; a job does not await", where=label, hint=_HINT_ASYNC)
    if inspect.isgeneratorfunction(bare):
        hint = "Call progress() in place of yield, and return the result"
        raise JobError("is a generator function, whose call does no work", where=label, hint=hint)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some functions in C do not say
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise JobError(f"cannot be called so: {error}", where=label) from None
