"""Where the code of a function is, as attributes of a span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app_server.observe.functions import name_and_code


def code_of(function: Callable[..., Any] | None) -> dict[str, str | int]:
    """The function's name, file and line, by OpenTelemetry's names; the name only of what is not written in Python."""
    if function is None:
        return {}
    name, code = name_and_code(function)
    if code is None:
        return {"code.function.name": name}
    return {"code.function.name": name, "code.file.path": code.co_filename, "code.line.number": code.co_firstlineno}
