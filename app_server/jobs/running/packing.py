"""Functions and values on their way to another process and back.

A function of an application's script cannot be imported anywhere else: its module has another name for each session.
cloudpickle sends such functions themselves, with the globals and the classes that they use. What lies in modules that
can be imported, helpers beside the script included, is sent by its name.
"""

from __future__ import annotations

import inspect
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import FunctionType, ModuleType
from typing import Any, Final

from app_server.jobs.checking import label_of
from app_server.jobs.errors import NotSendable
from app_server.version import how_to_install

_HERE_ONLY: Final = 'Pass plain data, or submit it with where="thread"'
_DEEPEST: Final = 6
_MOST_LOOKED_AT: Final = 1000

_packing = threading.RLock()
"""Held while modules are registered with cloudpickle, which has one list of them."""


def pack(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
    """The function with its arguments, for `work.unpacked` in another process. NotSendable if that is impossible."""
    label = label_of(function)
    dumps = _dumps()
    if dumps is None and not _is_importable(function):
        what = (
            "is a function of the application's own file, which takes the package cloudpickle to be sent to a process"
        )
        raise NotSendable(what, where=label, hint=how_to_install("jobs", served_with="cloudpickle"))
    send = dumps or pickle.dumps
    with _by_value():
        try:
            return send((function, args, dict(kwargs)))
        except Exception as error:
            parts = {"the function": function, **_named_arguments(function, args, kwargs)}
            found = find_culprit(parts, send)
            raise NotSendable(_sentence(found, error, "sent to a process"), where=label, hint=_HERE_ONLY) from error


def pack_result(value: Any, label: str) -> bytes:
    """What a function has returned, for `pickle.loads` in the server's process. NotSendable if that is impossible."""
    send = _dumps() or pickle.dumps
    try:
        return send(value)
    except Exception as error:
        found = find_culprit({"its result": value}, send)
        hint = "Return plain data, or arrays and data frames"
        raise NotSendable(_sentence(found, error, "sent back"), where=label, hint=hint) from error


def _dumps() -> Callable[[Any], bytes] | None:
    """cloudpickle's `dumps`, if it is installed."""
    try:
        import cloudpickle
    except ImportError:
        return None
    dumps: Callable[[Any], bytes] = cloudpickle.dumps
    return dumps


def _is_importable(function: Any) -> bool:
    name = str(getattr(function, "__module__", "") or "")
    return name != "__main__" and not name.startswith(_prefix()) and "<" not in getattr(function, "__qualname__", "")


def _prefix() -> str:
    """What the names of applications' own modules begin with."""
    from app_server.document.pages.noop_output import APPLICATION_MODULE_PREFIX

    return APPLICATION_MODULE_PREFIX


@contextmanager
def _by_value() -> Iterator[None]:
    """A block in which cloudpickle sends what is in applications' own modules itself, not by its name."""
    try:
        from cloudpickle import register_pickle_by_value, unregister_pickle_by_value
    except ImportError:
        yield
        return
    prefix = _prefix()
    with _packing, ExitStack() as stack:
        for module in _modules_beginning_with(prefix):
            register_pickle_by_value(module)
            stack.callback(_unregister, unregister_pickle_by_value, module)
        yield


def _unregister(unregister: Callable[[ModuleType], None], module: ModuleType) -> None:
    with suppress(ValueError):  # it was registered twice
        unregister(module)


def _modules_beginning_with(prefix: str) -> list[ModuleType]:
    named = list(sys.modules.items())
    return [module for name, module in named if name.startswith(prefix) and name == getattr(module, "__name__", None)]


def needs_own_module(error: BaseException) -> bool:
    """Whether a process has failed to import the application's own file, which only the server has as a module."""
    return isinstance(error, ModuleNotFoundError) and str(error.name).startswith(_prefix())


# What of a value it is that cannot be sent.


def find_culprit(parts: Mapping[str, Any], send: Callable[[Any], bytes]) -> tuple[str, Any] | None:
    """The innermost of these named values that cannot be sent, with its name; None if each of them can be."""
    budget = [_MOST_LOOKED_AT]
    for name, value in parts.items():
        if not _can_be_sent(value, send, budget):
            return _innermost(name, value, send, budget, _DEEPEST)
    return None


def _innermost(name: str, value: Any, send: Callable[[Any], bytes], budget: list[int], depth: int) -> tuple[str, Any]:
    for part, inner in _parts_of(name, value) if depth else ():
        if not _can_be_sent(inner, send, budget):
            return _innermost(part, inner, send, budget, depth - 1)
    return name, value


def _can_be_sent(value: Any, send: Callable[[Any], bytes], budget: list[int]) -> bool:
    budget[0] -= 1
    if budget[0] < 0:
        return True
    try:
        send(value)
    except Exception:
        return False
    return True


def _parts_of(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{name}[{key!r}]", inner) for key, inner in list(value.items()))
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"{name}[{place}]", inner) for place, inner in enumerate(list(value)))
    elif isinstance(value, FunctionType):
        yield from _used_by(value)
    else:
        yield from ((f"{name}.{key}", inner) for key, inner in list(getattr(value, "__dict__", {}).items()))


def _used_by(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals and the variables of outer functions that a function uses."""
    names = function.__code__.co_names
    for name in names:
        if name in function.__globals__:
            yield f"the global variable {name}", function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # an empty cell
            yield f"the variable {name}", cell.cell_contents


def _named_arguments(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, by what the function calls them."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):
        numbered = {f"argument {place}": value for place, value in enumerate(args, 1)}
        return {**numbered, **{f"the argument {name}": value for name, value in kwargs.items()}}
    return {f"the argument {name}": value for name, value in bound.arguments.items()}


def _sentence(found: tuple[str, Any] | None, error: BaseException, how: str) -> str:
    if found is None:
        return f"cannot be {how}: {error}"
    name, value = found
    return f"{name} cannot be {how}, because it is a {_described(type(value))}: {error}"


def _described(kind: type) -> str:
    """A class as its users call it: without the name of a script's own module, which has no spec."""
    shown = kind.__module__ != "builtins" and getattr(sys.modules.get(kind.__module__), "__spec__", None) is not None
    return f"{kind.__module__}.{kind.__qualname__}" if shown else kind.__qualname__
