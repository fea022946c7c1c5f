"""Which function of the application is behind what it has given as a callback."""

from __future__ import annotations

from functools import partial
from types import CodeType
from typing import Any

_MOST_LAYERS = 10
"""How many partials, decorators and methods are taken off: someone's proxies may have no innermost one."""


def function_behind(called: Any) -> Any:
    """The function behind partials, decorators, methods and objects that can be called."""
    for _ in range(_MOST_LAYERS):
        if isinstance(called, partial):
            called = called.func
        elif hasattr(called, "__wrapped__"):
            called = called.__wrapped__
        elif hasattr(called, "__func__"):
            called = called.__func__
        else:
            break
    call = vars(type(called)).get("__call__")
    return called if hasattr(called, "__code__") or not hasattr(call, "__code__") else call


def name_and_code(called: Any) -> tuple[str, CodeType | None]:
    """The name of the function behind this, and its code; None for one that is not Python."""
    bare = function_behind(called)
    name = getattr(bare, "__qualname__", None) or type(bare).__name__
    code = getattr(bare, "__code__", None)
    return str(name), code if isinstance(code, CodeType) else None
