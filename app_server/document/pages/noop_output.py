"""`show`, `save`, `output_file` and their like do nothing while an application runs.

Authors leave such calls in a script that they also run by hand; a server must not open browsers or write files for
them. The stand-ins are made once. What a script binds with `from bokeh.io import show` is a stand-in for good, and
stays mute in the script's own callbacks; a helper module that bound one while an application ran gets the real function
from it as soon as none runs.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import bokeh.io
import bokeh.io.notebook
import bokeh.io.output
import bokeh.io.saving
import bokeh.io.showing
import bokeh.plotting

log = logging.getLogger(__name__)

# The names of modules that run an application's code begin so; the stock server has the same prefix, and Panel and
# many applications ask for it.
APPLICATION_MODULE_PREFIX = "bokeh_app_"

_NAMES = ("show", "save", "output_file", "output_notebook", "reset_output", "push_notebook")
_MODULES: tuple[ModuleType, ...] = (
    bokeh.io,
    bokeh.plotting,
    bokeh.io.showing,
    bokeh.io.saving,
    bokeh.io.output,
    bokeh.io.notebook,
)

_running: ContextVar[str | None] = ContextVar("app_server_muted_application", default=None)


def _stand_in(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def muted_function(*args: Any, **kwargs: Any) -> Any:
        application = _running.get()
        if application is None:
            caller = sys._getframe(1).f_globals
            if not str(caller.get("__name__", "")).startswith(APPLICATION_MODULE_PREFIX):
                return real(*args, **kwargs)
            application = str(caller.get("__file__", "an application"))
        log.info("%s: %s() has no effect in a served application", application, name)
        return None

    return muted_function


_STAND_INS = {name: _stand_in(name, getattr(bokeh.io, name)) for name in _NAMES}
_PLACES = tuple((module, name) for module in _MODULES for name in _NAMES if hasattr(module, name))


@contextmanager
def noop_output(application: str) -> Iterator[None]:
    """Silence bokeh's functions of showing and saving inside the block, on behalf of the named application.

    Blocks nest; each puts back what it found, also when it raises.
    """
    token = _running.set(application)
    found = [(module, name, getattr(module, name)) for module, name in _PLACES]
    for module, name in _PLACES:
        setattr(module, name, _STAND_INS[name])
    try:
        yield
    finally:
        for module, name, function in found:
            setattr(module, name, function)
        _running.reset(token)
