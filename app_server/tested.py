"""The versions of Python, bokeh and Panel that this server was tested with.

The requirements allow newer patch releases, too. They mostly work, but what belongs to named
versions of bokeh stays off.
"""

from __future__ import annotations

from typing import Final

BOKEH: Final = frozenset({"3.9.0", "3.9.1", "3.9.2", "3.10.0", "3.10.1", "3.10.2"})
"""Named one by one: `document/speedups.py` and `document/plain_values.py` depend on how bokeh works inside."""

PANEL: Final = ("1.9", "1.10")
PYTHON: Final = ("3.11", "3.12", "3.13", "3.14")
"""Minor versions, as for Panel."""


def is_tested(package: str, version: str) -> bool:
    """Whether the server was tested with this version of "bokeh", "panel" or "python"."""
    if package == "bokeh":
        return version in BOKEH
    return minor_of(version) in (PANEL if package == "panel" else PYTHON)


def minor_of(version: str) -> str:
    """Such as "3.10" for "3.10.2"."""
    return ".".join(version.split(".")[:2])


def names(package: str) -> str:
    """Those that it was tested with, as text for people."""
    if package != "bokeh":
        return _and([f"{minor}.x" for minor in (PANEL if package == "panel" else PYTHON)])
    patches: dict[str, list[int]] = {}
    for version in BOKEH:
        patches.setdefault(minor_of(version), []).append(int(version.rpartition(".")[2]))
    minors = sorted(patches, key=lambda minor: int(minor.rpartition(".")[2]))
    return _and([f"{minor}.{min(patches[minor])} to {minor}.{max(patches[minor])}" for minor in minors])


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
