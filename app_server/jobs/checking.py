"""What is submitted, checked before it is queued, and what it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, Final

from app_server.jobs.errors import JobError

_HINT_ASYNC = "Pass a plain function; asynchronous work can run in a callback: curdoc().add_next_tick_callback"

OWN_KEYWORDS: Final = frozenset(
    {"on_progress", "on_result", "on_error", "on_cancel", "where", "name", "keep_s", "timeout_s", "document"}
)
"""What `submit` takes by its name, and does not pass on to the function."""


def label_of(function: Any) -> str:
    """What a function is called in errors and in the log."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


def is_async(label: str) -> JobError:
    """The error for work that has to be awaited."""
    return JobError("is async; a job does not await", where=label, hint=_HINT_ASYNC)


def check_name(name: Any) -> None:
    """Raise JobError if a job cannot be found by this name."""
    if not isinstance(name, str) or not name:
        raise JobError(f"name={name!r} is not a name", where="app_server.jobs", hint="Pass a string that is not empty")


def check_seconds(parameter: str, value: Any) -> None:
    """Raise JobError if this is not a time, 0 included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise JobError(f"{parameter}={value!r} is not a time", where="submit", hint="Pass a number of seconds")


def check(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise JobError if this cannot be called with these arguments, or has to be awaited."""
    if not callable(function):
        raise JobError(f"{function!r} is not a function", where="submit", hint="Pass the function and its arguments")
    bare = function
    while isinstance(bare, functools.partial):
        bare = bare.func
    label = label_of(function)
    called = type(bare).__call__
    if any(test(each) for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction) for each in (bare, called)):
        raise is_async(label)
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
        raise JobError(f"cannot be called so: {error}", where=label, hint=_hint_keywords(signature, kwargs)) from None


def _hint_keywords(signature: inspect.Signature, given: Mapping[str, Any]) -> str | None:
    own = ", ".join(f"{each}=" for each in sorted(OWN_KEYWORDS & signature.parameters.keys() - given.keys()))
    return f"submit takes {own} itself; pass it to the function by functools.partial" if own else None
