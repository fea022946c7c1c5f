"""Where `app-server serve` finds an application below the prefix, told from the path alone.

The same as `apps.routes`, which cannot be imported without bokeh; a test holds them equal. The path may be another
host's, so nothing is looked up: a folder whose name ends in .py is not told apart.
"""

from __future__ import annotations

import posixpath

from app_server.protocol.paths import segment_route

__all__ = ["route_for", "segment_route"]


def route_for(path: str) -> str:
    """`/myapp` for `myapp.py`, `apps/myapp.ipynb` and the folder `myapp/`; percent-encoded, as a browser sends it."""
    name = posixpath.basename(posixpath.normpath(path))
    stem, suffix = posixpath.splitext(name)
    return segment_route(stem if suffix in (".py", ".ipynb") else name)
