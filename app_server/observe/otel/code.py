"""Where the code of a function is, as attributes of a span."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any


def code_of(function: Callable[..., Any] | None) -> dict[str, str | int]:
    """The function's name, file and line, by OpenTelemetry's names; nothing of what is not written in Python."""
    while isinstance(function, partial):
        function = function.func
    if function is None:
        return {}
    bare: Any = inspect.unwrap(function)
    code = getattr(getattr(bare, "__func__", bare), "__code__", None)
    name = getattr(bare, "__qualname__", type(bare).__qualname__)
    if code is None:
        return {"code.function.name": name}
    return {"code.function.name": name, "code.file.path": code.co_filename, "code.line.number": code.co_firstlineno}
