"""Where an application is found below the server's prefix."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

# What RFC 3986, section 3.3, lets stand in a path segment besides letters, digits and "-._~".
_SEGMENT_CHARACTERS = "!$&'()*+,;=:@"


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path without `~`, `.`, `..` and a trailing slash; links are kept, for their name is what people wrote."""
    return Path(os.path.abspath(os.path.expanduser(os.fspath(path))))


def route_for(path: str | os.PathLike[str]) -> str:
    """`/myapp` for `myapp.py`, `myapp.ipynb` and the folder `myapp`; percent-encoded, as a browser sends it.

    A folder keeps the dots of its name. The folder `/` has no name and gets the route `/`.
    """
    place = absolute(path)
    return segment_route(place.stem if place.suffix in (".py", ".ipynb") and not place.is_dir() else place.name)


def segment_route(name: str) -> str:
    """The route of an application of that name; the slashes at its ends do not matter."""
    return "/" + "/".join(quote(part, safe=_SEGMENT_CHARACTERS) for part in name.strip("/").split("/"))


def split_route(word: str) -> tuple[str | None, str]:
    """The route and the path of `/reports/sales=apps/sales.py`; of a plain path, None and itself."""
    found = re.fullmatch(r"(/[A-Za-z0-9._~/-]*)=(.+)", word)
    if found is None or os.path.exists(word):
        return None, word
    return segment_route(found[1]), found[2]
