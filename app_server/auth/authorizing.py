"""A hook of the operator's own that says who may open which application, and the files that such hooks are in."""

from __future__ import annotations

import inspect
import logging
import sys
import traceback
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from tornado.web import Finish, HTTPError

from app_server.engine.containment import is_fault
from app_server.errors import OperatorError, TransientError
from app_server.security.auth.hooks import authorize_from
from app_server.settings import Settings

log = logging.getLogger(__name__)


def run_module(path: str, flag: str) -> tuple[dict[str, Any], str]:
    """What this file defines, which is run, and its source. OperatorError names the line where it fails."""
    try:
        source = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} cannot be read: {error}", where=flag) from None
    full = str(Path(path).resolve())
    name = f"app_server_auth_{Path(path).stem}"
    spec = spec_from_loader(name, loader=None, origin=full)
    assert spec is not None
    module = module_from_spec(spec)
    module.__file__ = full
    sys.modules[name] = module  # where dataclasses and pickle look for it
    try:
        exec(compile(source, full, "exec"), module.__dict__)
    except SyntaxError as error:
        raise OperatorError(f"not Python: {error.msg}", where=f"{path}:{error.lineno}") from error
    except BaseException as error:
        if not is_fault(error):
            raise
        lines = [number for frame, number in traceback.walk_tb(error.__traceback__)
                 if frame.f_code.co_filename == full]  # fmt: skip
        what = f"the authentication module failed: {type(error).__name__}: {error}".rstrip(": ")
        raise TransientError(what, where=f"{path}:{lines[-1]}" if lines else path) from error
    return module.__dict__, source


class Authorizer:
    """Asks a hook `authorize(user, path)`, which may be a coroutine; `flag` is the setting that it comes from."""

    def __init__(self, hook: Callable[[Any, str], Any], flag: str) -> None:
        self._hook = hook
        self._flag = flag

    async def __call__(self, user: Any, route: str) -> bool:
        """Whether the hook returns True, which opens the application. HTTPError 500 if the hook fails."""
        try:
            found = self._hook(user, route)
            found = await found if inspect.isawaitable(found) else found
        except (HTTPError, Finish):
            raise
        except BaseException as error:
            if not is_fault(error):
                raise
            log.exception("%s: authorize raised an exception", self._flag)
            raise HTTPError(500) from None
        if found is not None and not isinstance(found, bool):
            # What modules for other servers return, such as where to go instead, must not open anything.
            kind = type(found).__name__
            log.error("%s: authorize returned a value of type %s; return True or False", self._flag, kind)
        return found is True


def authorizer_for(settings: Settings) -> Authorizer | None:
    """The hook of `--authorize`; None if there is none. OperatorError if the file does not define it."""
    if settings.authorize is None:
        return None
    namespace, source = run_module(settings.authorize, "--authorize")
    return Authorizer(authorize_from(namespace, path=settings.authorize, source=source), "--authorize")
