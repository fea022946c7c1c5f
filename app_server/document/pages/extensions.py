"""Models with JavaScript of their own, compiled for pages: one that does not compile fails only where it is used.

Bokeh compiles all such models that a process knows into one bundle, and ends the process when one does not compile.
Here each is compiled once; a bundle holds those that can be compiled, and a page that needs another one is refused with
the compiler's words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import bokeh.embed.bundle as bokeh_bundle
from bokeh.core.has_props import HasProps
from bokeh.document import Document
from bokeh.util import compiler
from bokeh.util.compiler import AttrDict, CompilationError, CustomModel, Implementation

from app_server.errors import ApplicationError

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_FOLDERS: Final = re.compile(r"[^\s:'\"]*/(?=[^\s:/'\"]+)")
_MOST_REMEMBERED: Final = 256

_stock_cache_hook = compiler.get_cache_hook()
_compiled: dict[tuple[str, str, str | None], AttrDict | Exception] = {}
"""What the compiler made of each code, or why it could not: it takes seconds, and holds everything up meanwhile."""

_Key: TypeAlias = tuple[str, str]

_left_out: dict[_Key, ApplicationError] = {}
"""The models that the last bundle lacks, by name and code: a script defines its classes again in each session."""


def install() -> None:
    """Have bokeh make bundles by this module. Idempotent."""
    bokeh_bundle.bundle_models = bundle_models  # type: ignore[attr-defined]
    if compiler.get_cache_hook() is _stock_cache_hook:
        compiler.set_cache_hook(_remembered)


def bundle_models(models: Sequence[type[HasProps]] | None) -> str | None:
    """The JavaScript of these models, or of all that can be compiled; None if there are none with code of their own.

    ApplicationError if one of `models` cannot be compiled.
    """
    wanted = compiler._get_custom_models(models) or {}
    if models is None:
        _left_out.clear()
    try:
        return compiler.bundle_models(models) if wanted else None
    except (Exception, SystemExit):
        good, faults = _sorted_out(wanted)
    if models is not None:
        raise next(iter(faults.values()))
    _left_out.update(faults)
    return compiler._bundle_models(good) if good else None


def known() -> object:
    """A value that changes when there are other models with code than those that the last bundle could not hold."""
    if not _left_out:
        return None
    kinds = HasProps.model_class_reverse_map.values()
    return frozenset(_key(kind) for kind in kinds if hasattr(kind, "__implementation__"))


def check(document: Document) -> None:
    """ApplicationError if the document has a model whose JavaScript the last bundle lacks."""
    if _left_out:
        for model in document.models:
            fault = _left_out.get(_key(type(model))) if hasattr(model, "__implementation__") else None
            if fault is not None:
                raise fault


def _key(kind: type[HasProps]) -> _Key:
    code: Any = getattr(kind, "__implementation__", None)
    return kind.__qualified_model__, str(getattr(code, "code", code))


def _remembered(model: CustomModel, implementation: Implementation) -> AttrDict:
    key = implementation.code, implementation.lang, implementation.file
    if key not in _compiled:
        if len(_compiled) >= _MOST_REMEMBERED:
            _compiled.clear()
        try:
            _compiled[key] = compiler.nodejs_compile(*key)
        except (Exception, SystemExit) as error:
            _compiled[key] = error if isinstance(error, Exception) else RuntimeError("the compiler has ended")
    made = _compiled[key]
    if isinstance(made, Exception):
        raise made
    if "error" in made:
        raise CompilationError(made.error)
    return made


def _sorted_out(
    wanted: dict[str, CustomModel],
) -> tuple[dict[str, CustomModel], dict[_Key, ApplicationError]]:
    """Those that can be compiled, and why each of the others cannot."""
    good, faults = dict(wanted), {}
    for name, model in wanted.items():
        try:
            compiler._compile_models({name: model})
        except (Exception, SystemExit) as error:
            faults[_key(model.cls)] = _fault(model, error)
            del good[name]
    failure = _failure(good)
    if failure is None:
        return good, faults
    for name, model in good.items():
        # Each compiles by itself, but one may name a module that there is not.
        others = {other: each for other, each in good.items() if other != name}
        if _failure(others) is None:
            return others, {**faults, _key(model.cls): _fault(model, failure)}
    return {}, {**faults, **{_key(model.cls): _fault(model, failure) for model in good.values()}}


def _failure(models: dict[str, CustomModel]) -> BaseException | None:
    """Why these models have no bundle; None if they have one."""
    try:
        compiler._bundle_models(models)
    except (Exception, SystemExit) as error:
        return error
    return None


def _fault(model: CustomModel, error: BaseException) -> ApplicationError:
    """The error of a model; what may be shown of it has files without their folders."""
    words = _COLOURS.sub("", str(error)).strip() or type(error).__name__
    try:
        file = model.file
    except KeyError:  # its module has gone with its session
        file = None
    if isinstance(error, KeyError) and file is None:
        words = "its module is there no more"
    shown = _FOLDERS.sub("", words)
    name = model.cls.__name__
    return ApplicationError(
        f"the extension {name} does not compile: {words}",
        where=file,
        hint="Correct the code of its __implementation__",
        shown=f"The extension {name} does not compile.\n{shown}",
    )
