"""Which modules bring which library along: read from what the installed packages say they require."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, requires

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)")


def brings(imports: Iterable[str], library: str) -> bool:
    """Whether one of these top-level modules is the library, or is of a package that requires it.

    HoloViews, hvPlot and others require Panel and import it: an application that imports them has it too.
    """
    return any(name == library or _requires(name, library) for name in imports)


@cache
def _requires(name: str, library: str) -> bool:
    try:
        # A package is nearly always called as its module is; the rest of the spelling is metadata's business.
        wanted = requires(name) or []
    except (PackageNotFoundError, ValueError):
        return False
    return any(_is_for_all(line) and _package(line) == library for line in wanted)


def _package(requirement: str) -> str:
    found = _REQUIREMENT.match(requirement)
    return found[1].lower() if found else ""


def _is_for_all(requirement: str) -> bool:
    """Whether it is required without an extra, which may not be installed."""
    return "extra ==" not in requirement.replace("'", '"')
