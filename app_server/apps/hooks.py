"""The functions of `app_hooks.py` or `server_lifecycle.py` that the server calls at turns of its life."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app_server.apps.faults import CodePlace
from app_server.errors import ApplicationError, likely

log = logging.getLogger(__name__)

# Called with the server's or the session's context; if it returns an awaitable, the caller awaits it.
Hook = Callable[[Any], Awaitable[None] | None]
# What these return is checked when they are called.
SavedHook = Callable[[Any], Any]
RestoredHook = Callable[[Any, Any], Awaitable[None] | None]
RequestHook = Callable[[Any], Any]


def _no_hook(context: Any) -> None:
    """What an application does that has no such hook."""


def _not_restored(context: Any, state: Any) -> None:
    """What an application does that has no on_session_restored."""


def _no_extra(request: Any) -> dict[str, Any]:
    """What an application adds to the token that has no `process_request`."""
    return {}


@dataclass(frozen=True, slots=True)
class Hooks:
    """The lifecycle hooks of an application; one that it does not have does nothing.

    Each takes one argument: the server's context for the first two, the session's for the others. What
    on_session_saved returns is saved, and is the second argument of on_session_restored.
    """

    on_server_loaded: Hook = _no_hook
    on_server_unloaded: Hook = _no_hook
    on_session_created: Hook = _no_hook
    on_session_destroyed: Hook = _no_hook
    on_session_saved: SavedHook = _no_hook
    on_session_restored: RestoredHook = _not_restored
    process_request: RequestHook = _no_extra

    @property
    def saves(self) -> bool:
        """Whether the application has something of its own to save with its sessions."""
        return self.on_session_saved is not _no_hook


_ARGUMENTS = {
    "on_server_loaded": "server_context",
    "on_server_unloaded": "server_context",
    "on_session_created": "session_context",
    "on_session_destroyed": "session_context",
    "on_session_saved": "session_context",
    "on_session_restored": "session_context, state",
    "process_request": "request",
}


def hooks_from(names: Mapping[str, Any], place: CodePlace, filename: str, *, with_requests: bool) -> Hooks:
    """The hooks among a module's names; one of a wrong signature is an `ApplicationError` with its line.

    `process_request` is used only `with_requests`: in `app_hooks.py`. What is called almost like a hook is logged.
    """
    for sentence in _mistyped(names, place, filename):
        log.warning("%s", sentence)
    found: dict[str, Any] = {}
    for name, argument in _ARGUMENTS.items():
        if name not in names or (name == "process_request" and not with_requests):
            continue
        check_hook(name, argument, names[name], place, filename)
        found[name] = names[name]
    return Hooks(**found)


def _mistyped(names: Mapping[str, Any], place: CodePlace, filename: str) -> Iterator[str]:
    """A sentence for each function of the file that is not a hook, and is named almost like one that is missing."""
    for name, value in names.items():
        code = getattr(value, "__code__", None)
        if name in _ARGUMENTS or code is None or code.co_filename != filename:
            continue
        near = likely(name, _ARGUMENTS, alike=0.85)  # hooks' own names are alike
        if near is not None and near not in names:
            where = place.line(filename, code.co_firstlineno)
            yield f"{where}: {name} is not a hook, and is never called by the server. Did you mean {near}?"


def check_hook(name: str, argument: str, function: Any, place: CodePlace, filename: str) -> None:
    """Refuse what cannot be called with these arguments, and a `process_request` that would have to be awaited."""
    if not callable(function):
        what = f"{name} is not a function but {type(function).__name__}"
        raise ApplicationError(what, where=place.name(filename), hint=f"Write it as def {name}({argument})")
    code = getattr(inspect.unwrap(function), "__code__", None)
    where = place.name(filename) if code is None else place.line(code.co_filename, code.co_firstlineno)
    count = argument.count(",") + 1
    if not takes_arguments(function, count):
        words = ("one argument", "two arguments")[count - 1]
        what = f"{name}{inspect.signature(function)} cannot be called with {words}"
        raise ApplicationError(what, where=where, hint=f"Write it as def {name}({argument})")
    if name == "process_request" and is_async(function):
        what = "process_request is async, but its result is needed at once"
        raise ApplicationError(what, where=where, hint=f"Write it as def {name}({argument})")


def takes_arguments(function: Callable[..., Any], count: int = 1) -> bool:
    """Whether a call with so many positional arguments fits; True for builtins, which do not say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def is_async(function: Any) -> bool:
    """Whether calling it returns a coroutine, also for an object whose `__call__` is async."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        inspect.getattr_static(type(function), "__call__", None)
    )
