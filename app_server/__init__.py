"""A server that keeps the objects of a Bokeh application in Python and in the browser in sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app_server.version import __version__

if TYPE_CHECKING:
    from app_server.embedded.server import Server as Server

__all__ = ["Server", "__version__"]


def __getattr__(name: str) -> Any:
    """`Server` is imported when it is asked for: it brings bokeh and Tornado along, and `--help` needs neither."""
    if name == "Server":
        from app_server.embedded.server import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
