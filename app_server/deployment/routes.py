"""Where `app-server serve` finds an application below the prefix, told from the path alone.

The same as `apps.routes`, which cannot be imported without bokeh; a test holds them equal. The path may be another
host's, so nothing is looked up: a folder whose name ends in .py is not told apart.
"""

from __future__ import annotations

import posixpath
from urllib.parse import quote

# What RFC 3986, section 3.3, lets stand in a path segment besides letters, digits and "-._~".
_SEGMENT_CHARACTERS = "!$&'()*+,;=:@"


def route_for(path: str) -> str:
    """`/myapp` for `myapp.py`, `apps/myapp.ipynb` and the folder `myapp/`; percent-encoded, as a browser sends it."""
    name = posixpath.basename(posixpath.normpath(path))
    stem, suffix = posixpath.splitext(name)
    return segment_route(stem if suffix in (".py", ".ipynb") else name)


def segment_route(name: str) -> str:
    """The route of an application of that name; the slashes at its ends do not matter."""
    return "/" + "/".join(quote(part, safe=_SEGMENT_CHARACTERS) for part in name.strip("/").split("/"))
