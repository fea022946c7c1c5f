"""Where an application is found below the server's prefix."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from app_server.errors import OperatorError
from app_server.protocol.paths import canonical_route, segment_route
from app_server.sources.route_patterns import check_placeholders

__all__ = ["MAIN_NAMES", "SUFFIXES", "absolute", "route_by_name", "route_for", "segment_route", "split_route"]

SUFFIXES = (".py", ".ipynb", ".md")
"""The endings of scripts, notebooks and Markdown applications."""
MAIN_NAMES = ("main.py", "main.ipynb")
"""The file of an application's folder that runs for each session."""


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path without `~`, `.`, `..` and a trailing slash; links are kept, for their name is what people wrote."""
    return Path(os.path.abspath(os.path.expanduser(os.fspath(path))))


def route_for(path: str | os.PathLike[str]) -> str:
    """`/myapp` for `myapp.py`, `myapp.ipynb`, `myapp.md` and the folder `myapp`; percent-encoded, as browsers send it.

    A folder keeps the dots of its name. The folder `/` has no name and gets the route `/`.
    """
    place = absolute(path)
    return _named(place.name, is_folder=place.is_dir())


def route_by_name(path: str) -> str:
    """As `route_for`, for a path that may be on another host: nothing is looked up, so `sales.py` is a file."""
    return _named(posixpath.basename(posixpath.normpath(path)), is_folder=False)


def _named(name: str, *, is_folder: bool) -> str:
    stem, suffix = posixpath.splitext(name)
    return segment_route(stem if suffix in SUFFIXES and not is_folder else name)


def split_route(word: str) -> tuple[str | None, str]:
    """The route and the path of `/reports/sales=apps/sales.py`; of a plain path, None and itself.

    OperatorError for braces in the route that make no placeholder.
    """
    found = re.fullmatch(r"(/[^\s=?#\\]*)=(.+)", word)
    if found is None or os.path.exists(word):
        return None, word
    try:
        check_placeholders(found[1])
    except ValueError as error:
        raise OperatorError(f"the address {error}", where=word) from None
    return canonical_route(found[1]), found[2]
