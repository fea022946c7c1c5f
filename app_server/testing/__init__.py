"""Tests of applications, in process: no browser, no port, and no time that passes by itself.

`open_app` opens an application as a visitor does; what it gives is one tab of a page, an `OpenApp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app_server.security.auth.users import User as User
    from app_server.testing.errors import AppFailure as AppFailure
    from app_server.testing.errors import AppTimeout as AppTimeout
    from app_server.testing.errors import CannotDo as CannotDo
    from app_server.testing.errors import NotFound as NotFound
    from app_server.testing.opening import open_app as open_app
    from app_server.testing.tab import OpenApp as OpenApp

__all__ = ["AppFailure", "AppTimeout", "CannotDo", "NotFound", "OpenApp", "User", "open_app"]

_MODULES = {
    "AppFailure": "errors",
    "AppTimeout": "errors",
    "CannotDo": "errors",
    "NotFound": "errors",
    "OpenApp": "tab",
    "open_app": "opening",
}


def __getattr__(name: str) -> Any:
    """Names are imported when they are asked for: pytest loads the plugin in each run, which needs none of them."""
    if name == "User":
        from app_server.security.auth.users import User

        return User
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
