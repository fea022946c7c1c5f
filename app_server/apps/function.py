"""Applications that are a function of the document."""

from __future__ import annotations

import dis
import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from app_server.apps.application import Application
from app_server.apps.faults import CodePlace
from app_server.apps.hooks import is_async, takes_arguments
from app_server.document.pages.themes import Document
from app_server.errors import ApplicationError
from app_server.sources.routes import segment_route

BuildFunction = Callable[[Document], Any]


class FunctionApplication(Application):
    """Calls the function with each new document; what it returns is of no account."""

    def __init__(self, route: str, function: BuildFunction) -> None:
        super().__init__(route, _place(function))
        self._function = function
        self.imports = _modules_in_sight(function)

    def watch_paths(self) -> Iterable[Path]:
        return [Path(self._place.main)] if os.path.isfile(self._place.main) else []

    def _fill(self, document: Document) -> None:
        result = self._function(document)
        if inspect.iscoroutine(result):
            result.close()
            raise _must_not_be_async(self._place.main, self.fault_place(self._function))


def application_from_function(function: BuildFunction, name: str = "/") -> Application:
    """The application that calls `function(document)` for each session, at the route of that name."""
    code = _code(function)
    place = _place(function)
    where = place.main if code is None else place.line(code.co_filename, code.co_firstlineno)
    if not callable(function):
        raise ApplicationError(f"{function!r} is not a function", hint="Pass a function that takes the document")
    if not takes_arguments(function):
        what = f"{_name(function)}{inspect.signature(function)} cannot be called with one argument"
        raise ApplicationError(what, where=where, hint="Write it as a function that takes the document")
    if is_async(function):
        raise _must_not_be_async(_name(function), where)
    return FunctionApplication(segment_route(name), function)


_NO_APPLICATION = """
{% block title %}No application{% endblock %}
{% block contents %}
<h1>No application is served here</h1>
<p>The server was started without one. Name it: <code>app-server serve myapp.py</code></p>
<p>Programs can bring documents of their own, with <code>app_server.client</code> or <code>bokeh.client</code>.</p>
{{ super() }}
{% endblock %}
"""


def empty_application() -> Application:
    """The application that is served when none was named: at `/`, its documents stay empty, and its page says so."""
    return _EmptyApplication("/", _leave_empty)


class _EmptyApplication(FunctionApplication):
    placeholder = _NO_APPLICATION


def _leave_empty(document: Document) -> None:
    """The document of a client that brings its own content."""


def _must_not_be_async(name: str, where: str) -> ApplicationError:
    hint = "Make it a plain function and await in callbacks: document.add_next_tick_callback"
    return ApplicationError(f"{name} is async, but documents are built synchronously", where=where, hint=hint)


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _code(function: Any) -> CodeType | None:
    """The code behind partials, decorators and objects with `__call__`; None for builtins."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    for holder in (function, inspect.getattr_static(type(function), "__call__", None)):
        code = getattr(holder, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def _modules_in_sight(function: Any) -> frozenset[str]:
    """The top-level modules that a function imports, or of which it, its module, or what that is made of has something.

    Nothing is run for it.
    """
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    held: list[Any] = [function]
    for holder in (function, inspect.getattr_static(type(function), "__call__", None)):
        held += [*getattr(holder, "__globals__", {}).values(), *_enclosed(holder)]
    code = _code(function)
    names = set() if code is None else set(_imports(code))
    while held:
        for name in _modules_of(held.pop()):
            if name not in names:
                names.add(name)
                held += vars(sys.modules[name]).values() if _is_own(name) else ()
    return frozenset(name.partition(".")[0] for name in names if name)


def _modules_of(value: Any) -> Iterator[str]:
    """The names of a module, or of those in which a thing and its classes were written."""
    with suppress(Exception):  # proxies of Flask's, for example, raise whatever they like outside of a request
        if isinstance(value, ModuleType):
            yield value.__name__
            return
        for thing in (value, *inspect.getmro(value if isinstance(value, type) else type(value))):
            if isinstance(name := getattr(thing, "__module__", None), str):
                yield name


def _is_own(name: str) -> bool:
    """Whether the module is neither this server's nor installed, but part of the program."""
    if name.partition(".")[0] == __name__.partition(".")[0]:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(file, str) and not file.startswith(_INSTALLED)


_INSTALLED = tuple(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


def _enclosed(function: Any) -> Iterator[Any]:
    """What a function has of those around it."""
    for cell in getattr(function, "__closure__", None) or ():
        with suppress(ValueError):  # it is empty yet
            yield cell.cell_contents


def _imports(code: CodeType) -> Iterator[str]:
    """The modules that this code imports, and the functions in it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imports(constant)


def _place(function: Any) -> CodePlace:
    code = _code(function)
    if code is None or not os.path.isfile(code.co_filename):
        return CodePlace(None, "", _name(function) if code is None else code.co_filename)
    folder = Path(code.co_filename).parent
    shown = os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)
    return CodePlace(folder, shown, code.co_filename)
