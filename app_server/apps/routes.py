"""Where an application is found below the server's prefix."""

from __future__ import annotations

import os
import re
from pathlib import Path

from app_server.protocol.paths import canonical_route, segment_route

__all__ = ["absolute", "route_for", "segment_route", "split_route"]


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path without `~`, `.`, `..` and a trailing slash; links are kept, for their name is what people wrote."""
    return Path(os.path.abspath(os.path.expanduser(os.fspath(path))))


def route_for(path: str | os.PathLike[str]) -> str:
    """`/myapp` for `myapp.py`, `myapp.ipynb` and the folder `myapp`; percent-encoded, as a browser sends it.

    A folder keeps the dots of its name. The folder `/` has no name and gets the route `/`.
    """
    place = absolute(path)
    return segment_route(place.stem if place.suffix in (".py", ".ipynb") and not place.is_dir() else place.name)


def split_route(word: str) -> tuple[str | None, str]:
    """The route and the path of `/reports/sales=apps/sales.py`; of a plain path, None and itself."""
    found = re.fullmatch(r"(/[^\s=?#\\]*)=(.+)", word)
    if found is None or os.path.exists(word):
        return None, word
    return canonical_route(found[1]), found[2]
